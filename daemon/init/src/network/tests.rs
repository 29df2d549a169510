//! The LAN of a box on a real kernel, in a network namespace of the test's own.

use super::*;

/// Runs a test on a thread inside a new namespace; says so and passes where that is not permitted.
fn in_own_network(test: impl FnOnce(&mut Netlink, Port, Port) + Send + 'static) {
    let run = move || match linux::namespace::enter_new_network() {
        Ok(_namespace) => {
            let mut netlink = Netlink::open().unwrap();
            netlink.add_cable("lan", "far").unwrap();
            let [lan, far] = ["lan", "far"].map(|name| port(&mut netlink, name));
            netlink.set_up(far.index).unwrap();
            test(&mut netlink, lan, far);
        }
        Err(error) if error.is_forbidden() => eprintln!("skipped, no namespace: {error}"),
        Err(error) => panic!("{error}"),
    };
    std::thread::spawn(run).join().expect("the test passes");
}

fn port(netlink: &mut Netlink, name: &str) -> Port {
    let link = netlink.link(name).unwrap().expect("just made");
    let place = ports::Place::Elsewhere(name.into());
    Port { index: link.index, name: name.into(), mac: link.mac.unwrap(), place }
}

fn site(lan: &str) -> Site {
    let text = format!(
        r#"side = "a"
        hostname = "mail-a.example.test"
        domain = "example.test"
        pair_token = "correct-horse-battery-staple"
        [lan]
        {lan}
        [service]
        a = ["10.77.0.1/24", "fd00::1/64"]
        b = ["10.77.0.2/24", "fd00::2/64"]
        "#
    );
    Site::parse(&text).unwrap()
}

const BOTH: &str = r#"
    address = ["10.77.0.11/24", "fd00::11/64"]
    gateway = ["10.77.0.254", "10.77.0.253", "fd00::254"]
    peer = "10.77.0.12"
    mtu = 1400
"#;

fn addresses(netlink: &mut Netlink, port: &Port) -> Vec<String> {
    let found = netlink.addresses(port.index).unwrap();
    let mut found: Vec<String> = found
        .into_iter()
        .map(|found| found.address.to_string())
        .filter(|text| !text.starts_with("fe80"))
        .collect();
    found.sort();
    found
}

#[test]
fn own_addresses_and_routes_of_both_families() {
    in_own_network(|netlink, lan, _| {
        let site = site(BOTH);
        let mut complaints = Vec::new();
        let lan = lan_interface(netlink, &lan, &site, &mut Log::in_memory()).unwrap();
        set_up_lan(netlink, &lan, &site, &mut complaints);
        assert_eq!(complaints, [] as [String; 0]);
        assert_eq!(addresses(netlink, &lan), ["10.77.0.11/24", "fd00::11/64"]);
        let gateways = netlink.default_gateways(lan.index).unwrap();
        assert_eq!(
            gateways,
            ["10.77.0.254".parse::<IpAddr>().unwrap(), "fd00::254".parse().unwrap()]
        );
        assert_eq!(netlink.link("lan").unwrap().unwrap().mtu, Some(1400));
    });
}

#[test]
fn an_own_address_that_another_machine_has_is_left_to_it_and_the_rest_goes_on() {
    in_own_network(|netlink, lan, far| {
        let used = Address { ip: "10.77.0.11".parse().unwrap(), prefix_length: 24 };
        netlink.add_address(far.index, used).unwrap();
        let mut complaints = Vec::new();
        set_up_lan(netlink, &lan, &site(BOTH), &mut complaints);
        assert_eq!(complaints.len(), 1, "{complaints:?}");
        assert!(complaints[0].contains("10.77.0.11"), "{complaints:?}");
        assert!(complaints[0].contains(&far.mac.to_string()), "{complaints:?}");
        assert_eq!(addresses(netlink, &lan), ["fd00::11/64"]);
    });
}

/// What PID 1 does first when maild ends for any reason, and last before the box ends.
#[test]
fn service_addresses_of_both_families_go_and_own_ones_stay() {
    in_own_network(|netlink, lan, _| {
        let site = site(BOTH);
        set_up_lan(netlink, &lan, &site, &mut Vec::new());
        let all: Vec<Address> = site.service.all().map(address).collect();
        for address in &all {
            netlink.add_address(lan.index, *address).unwrap();
        }
        assert_eq!(addresses(netlink, &lan).len(), 6);
        let held = ServiceAddresses { place: Some((lan.index, all)) };
        held.remove(&mut Log::in_memory());
        assert_eq!(addresses(netlink, &lan), ["10.77.0.11/24", "fd00::11/64"]);
        held.remove(&mut Log::in_memory());
        assert_eq!(addresses(netlink, &lan).len(), 2, "and once more is harmless");
    });
}

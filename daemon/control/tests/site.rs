//! The site file as its owner writes it, right and wrong.

use control::Site;
use control::site::Own;
use control::status::Side;

const GOOD: &str = r#"side = "a"
hostname = "mail-a.example.test"
domain = "example.test"
pair_token = "correct-horse-battery-staple"
first = true
admin_password = "let me in please"

[lan]
mac = "52:54:00:77:01:0a"
address = "10.77.0.11/24"
gateway = "10.77.0.254"
peer = "10.77.0.12"

[service]
a = "10.77.0.1/24"
b = "10.77.0.2/24"

[crossover]
mac = "52:54:00:77:02:0a"

[timing]
dead_after_ms = 900
cold_start_wait_ms = 5000
"#;

#[test]
fn a_full_file() {
    let site = Site::parse(GOOD).unwrap();
    assert_eq!(site.side, Side::A);
    assert_eq!(site.box_name(), "mail-a");
    assert_eq!(site.pair_token.reveal(), "correct-horse-battery-staple");
    assert!(site.first);
    assert_eq!(site.lan.ipv4, Some(Own::Static("10.77.0.11/24".parse().unwrap())));
    assert_eq!(site.service.of(site.side.other()), ["10.77.0.2/24".parse().unwrap()]);
    assert_eq!(site.timing.dead_after_ms, 900);
    let shown = format!("{site:?}");
    assert!(!shown.contains("horse") && !shown.contains("let me in"), "{shown}");
}

#[test]
fn what_is_written_reads_back() {
    for text in [GOOD, &without(&["first", "admin_password", "mac", "gateway", "_ms"])] {
        let site = Site::parse(text).unwrap();
        assert_eq!(Site::parse(&site.to_toml()).as_ref(), Ok(&site), "{}", site.to_toml());
    }
    let awkward = GOOD.replace("let me in please", r#"quo\"te \\ and ü"#);
    let site = Site::parse(&awkward).unwrap();
    assert_eq!(site.admin_password.as_ref().unwrap().reveal(), "quo\"te \\ and ü");
    assert_eq!(Site::parse(&site.to_toml()), Ok(site));
}

#[test]
fn optional_fields_have_defaults() {
    let site =
        Site::parse(&without(&["first", "admin_password", "mac", "gateway", "_ms"])).unwrap();
    assert!(!site.first);
    assert_eq!(site.admin_password, None);
    assert_eq!((site.lan.mac, site.crossover.mac), (None, None));
    assert_eq!((site.lan.gateways.len(), site.lan.vlan, site.lan.mtu), (0, None, None));
    assert!(site.serial.is_none() && site.time.servers.is_empty());
    assert_eq!((site.timing.dead_after_ms, site.timing.cold_start_wait_ms), (600, 60_000));
}

/// Every key there is; the builder's test reads it, too.
const FULL: &str = include_str!("full-site.toml");

#[test]
fn two_families_and_all_that_a_network_can_have() {
    let site = Site::parse(FULL).unwrap();
    assert_eq!(site.lan.static_addresses().count(), 2);
    assert_eq!(site.lan.gateways.len(), 3);
    assert_eq!(site.lan.peer(true).unwrap().to_string(), "fd00:77::11");
    assert_eq!(site.lan.vlan_name().as_deref(), Some("vlan12"));
    assert_eq!(site.lan.mtu, Some(1500));
    assert_eq!(site.service.all().count(), 4);
    assert_eq!(site.serial.as_ref().unwrap().device, "/dev/ttyS1");
    assert_eq!(site.time.servers.len(), 2);
    assert_eq!(Site::parse(&site.to_toml()), Ok(site));
}

#[test]
fn own_addresses_can_come_by_themselves_and_then_the_peer_is_found() {
    let text = FULL
        .replace(r#"["10.77.0.12/24", "fd00:77::12/64"]"#, r#"["dhcp", "slaac"]"#)
        .replace("gateway =", "#")
        .replace("peer =", "#");
    let site = Site::parse(&text).unwrap();
    assert_eq!((site.lan.ipv4, site.lan.ipv6), (Some(Own::Automatic), Some(Own::Automatic)));
    assert!(site.lan.peers.is_empty());
    assert_eq!(Site::parse(&site.to_toml()), Ok(site));
}

#[test]
fn nonsense_on_the_network_is_explained() {
    let cases = [
        ("vlan = 12", "vlan = 0", "lan.vlan", "1 to 4094"),
        ("vlan = 12", "vlan = 4095", "lan.vlan", "1 to 4094"),
        ("vlan = 12", "vlan = \"12\"", "lan.vlan", "i64"),
        ("mtu = 1500", "mtu = 1279", "lan.mtu", "IPv6 needs at least 1280"),
        ("mtu = 1500", "mtu = 100", "lan.mtu", "576 to 9216"),
        ("mtu = 1500", "mtu = -1", "lan.mtu", "576 to 9216"),
        ("\"fd00:77::12/64\"]", "\"10.77.0.13/24\"]", "lan.address", "one IPv4"),
        ("\"fd00:77::12/64\"]", "\"fe80::12/64\"]", "lan.address", "link-local"),
        ("\"fd00:77::12/64\"]", "\"dhcp\"]", "lan.address", "one IPv4"),
        ("\"fd00:77::12/64\"]", "12]", "lan.address", "in quotes"),
        ("[\"10.77.0.12/24\", \"fd00:77::12/64\"]", "[]", "lan.address", "1 to 4"),
        ("\"fd00:77::12/64\"]", "\"slaac\"]", "lan.gateway", "advertisements"),
        ("[\"10.77.0.12/24\",", "[\"dhcp\",", "lan.gateway", "DHCP names the gateway"),
        ("\"10.77.0.253\"", "\"10.77.1.253\"", "lan.gateway", "not on the network"),
        ("\"10.77.0.253\"", "\"10.77.0.254\"", "lan.gateway", "lan.gateway too"),
        ("\"fd00:77::11\"]", "\"fd00:78::11\"]", "lan.peer", "not on the network"),
        ("\"fd00:77::11\"]", "\"10.77.0.13\"]", "lan.peer", "more than one IPv4"),
        ("fd00:77::1/64", "fe80::1:1/64", "service.a", "link-local"),
        ("\"fd00:77::1/64\"]", "\"10.77.0.3/24\"]", "service.a", "more than one IPv4"),
        ("10.77.0.2/32", "10.78.0.2/32", "service.b", "not on the network"),
        ("10.77.0.1/24", "10.77.0.1/16", "service.a", "larger network"),
        ("fd00:77::2/128", "fd00:77::1/64", "service.b", "service.a too"),
        (", \"fd00:77::2/128\"]", "]", "service.a", "service.b has no IPv6"),
        ("/dev/ttyS1", "/dev/ttyS0", "serial.device", "no console"),
        ("/dev/ttyS1", "/dev/tty1", "serial.device", "no console"),
        ("/dev/ttyS1", "/dev/../tmp/x", "serial.device", "serial port"),
        ("device =", "devise =", "serial.devise", "unknown field"),
        ("fd00:77::123", "ntp.example.test", "time.servers", "IP address of an NTP server"),
    ];
    for (from, to, field, problem) in cases {
        let text = FULL.replacen(from, to, 1);
        assert_ne!(text, FULL, "{from} stands in the file");
        let error = Site::parse(&text).expect_err(to);
        assert_eq!(error.field, field, "{to}: {error}");
        assert!(error.problem.contains(problem), "{to}: {error}");
        assert!(error.line > 6, "{to}: {error}");
    }
    // Without an own IPv6 address the service addresses of a pair still have to fit each other.
    let text = FULL
        .replace(", \"fd00:77::12/64\"]", "]")
        .replace(", \"fe80::1\"]", "]")
        .replace(", \"fd00:77::11\"]", "]");
    assert!(Site::parse(&text).is_ok());
    let apart = text.replace("fd00:77::2/128", "fd00:78::2/64");
    let error = Site::parse(&apart).unwrap_err();
    assert!(error.problem.contains("not on one network"), "{error}");
}

/// One wrong line each: the error names the field and the line.
#[test]
fn errors_name_the_field_and_the_line() {
    let cases = [
        ("side = \"a\"", "side = \"c\"", 1, "side", "\"c\""),
        ("side = \"a\"", "side = 1", 1, "side", "string"),
        ("mail-a.example.test", "mail_a.example.test", 2, "hostname", "mail_a"),
        ("mail-a.example.test", "10.77.0.11", 2, "hostname", "10.77.0.11"),
        ("domain = \"example.test\"", "domain = \"\"", 3, "domain", "name like"),
        ("correct-horse-battery-staple", "tooshort", 4, "pair_token", "got 8"),
        ("first = true", "first = \"yes\"", 5, "first", "boolean"),
        ("let me in please", "short", 6, "admin_password", "got 5"),
        ("52:54:00:77:01:0a", "52:54:00:77:01", 9, "lan.mac", "six"),
        ("52:54:00:77:01:0a", "ff:ff:ff:ff:ff:ff", 9, "lan.mac", "group"),
        ("10.77.0.11/24", "10.77.0.11", 10, "lan.address", "prefix"),
        ("10.77.0.11/24", "10.77.0.255/24", 10, "lan.address", "broadcast"),
        ("10.77.0.254", "10.78.0.254", 11, "lan.gateway", "network"),
        ("10.77.0.254", "gateway.test", 11, "lan.gateway", "IP address"),
        ("peer = \"10.77.0.12\"", "peer = \"10.77.0.11\"", 12, "lan.peer", "lan.address too"),
        ("peer = \"10.77.0.12\"", "peer = \"fd00::1\"", 12, "lan.peer", "network"),
        ("10.77.0.1/24", "10.77.0.12/24", 15, "service.a", "lan.peer too"),
        ("10.77.0.2/24", "10.77.0.1/24", 16, "service.b", "service.a too"),
        ("52:54:00:77:02:0a", "52:54:00:77:01:0a", 19, "crossover.mac", "lan.mac too"),
        ("dead_after_ms = 900", "dead_after_ms = 9", 22, "timing.dead_after_ms", "200"),
        ("gateway =", "getaway =", 11, "lan.getaway", "unknown field"),
        ("[timing]", "[tuning]", 21, "tuning", "unknown field"),
        ("hostname =", "hostname", 2, "the file", "expected"),
    ];
    for (from, to, line, field, problem) in cases {
        let text = GOOD.replacen(from, to, 1);
        assert_ne!(text, GOOD, "{from} stands in the good file");
        let error = Site::parse(&text).expect_err(to);
        assert_eq!((error.line, error.field.as_str()), (line, field), "{to}: {error}");
        assert!(error.problem.contains(problem), "{to}: {error}");
    }
}

#[test]
fn a_missing_field_is_named() {
    for field in ["side", "hostname", "domain", "pair_token", "address", "peer", "a", "b"] {
        let text: String = GOOD
            .lines()
            .filter(|line| !line.starts_with(&format!("{field} =")))
            .map(|line| format!("{line}\n"))
            .collect();
        let error = Site::parse(&text).expect_err(field);
        assert!(error.problem.contains(&format!("missing field `{field}`")), "{field}: {error}");
    }
}

#[test]
fn secrets_stay_out_of_errors() {
    let error = Site::parse(&GOOD.replace("correct-horse-battery-staple", "sesame")).unwrap_err();
    assert!(!error.to_string().contains("sesame"), "{error}");
    let error =
        Site::parse(&GOOD.replace("\"correct-horse-battery-staple\"", "31415926")).unwrap_err();
    assert!(!error.to_string().contains("31415926"), "{error}");
}

fn without(fields: &[&str]) -> String {
    GOOD.lines()
        .filter(|line| {
            !fields.iter().any(|field| {
                line.split_once(" =").is_some_and(|(key, _)| key == *field || key.ends_with(field))
            })
        })
        .map(|line| format!("{line}\n"))
        .collect()
}

//! From a [`Site`] to the text of its file.

use std::fmt::Write as _;

use super::failover::Failover;
use super::{Own, Site};

pub(super) fn site(site: &Site) -> String {
    let mut text = String::new();
    let mut line = |content: String| {
        writeln!(text, "{content}").expect("writing to a string does not fail");
    };
    line(format!("side = {}", quoted(&site.side.to_string())));
    line(format!("hostname = {}", quoted(&site.hostname)));
    line("# The mail domain that is created at the first start.".into());
    line(format!("domain = {}", quoted(&site.domain)));
    line("# The same on both boxes; keep it secret.".into());
    line(format!("pair_token = {}", quoted(site.pair_token.reveal())));
    line("# May serve alone from a blank disk: true on exactly one box of the pair.".into());
    line(format!("first = {}", site.first));
    if let Some(password) = &site.admin_password {
        line("# Used at the first start only.".into());
        line(format!("admin_password = {}", quoted(password.reveal())));
    }
    line("\n[lan]".into());
    if let Some(mac) = site.lan.mac {
        line(format!("mac = \"{mac}\""));
    }
    line(format!("address = {}", one_or_list(own_addresses(site))));
    if !site.lan.gateways.is_empty() {
        line(format!("gateway = {}", one_or_list(&site.lan.gateways)));
    }
    if !site.lan.peers.is_empty() {
        line(format!("peer = {}", one_or_list(&site.lan.peers)));
    }
    if let Some(vlan) = site.lan.vlan {
        line(format!("vlan = {vlan}"));
    }
    if let Some(mtu) = site.lan.mtu {
        line(format!("mtu = {mtu}"));
    }
    line("\n[service]".into());
    line(format!("a = {}", one_or_list(&site.service.a)));
    line(format!("b = {}", one_or_list(&site.service.b)));
    if let Some(mac) = site.crossover.mac {
        line("\n[crossover]".into());
        line(format!("mac = \"{mac}\""));
    }
    if let Some(serial) = &site.serial {
        line("\n[serial]".into());
        line(format!("device = {}", quoted(&serial.device)));
    }
    if !site.time.servers.is_empty() {
        line("\n[time]".into());
        line(format!("servers = {}", list(&site.time.servers)));
    }
    line("\n[timing]".into());
    line(format!("dead_after_ms = {}", site.timing.dead_after_ms));
    line(format!("cold_start_wait_ms = {}", site.timing.cold_start_wait_ms));
    failover(&site.failover, &mut line);
    text
}

fn own_addresses(site: &Site) -> Vec<String> {
    let word = |own: Option<Own>, automatic: &str| {
        own.map(|own| match own {
            Own::Static(network) => network.to_string(),
            Own::Automatic => automatic.to_owned(),
        })
    };
    [word(site.lan.ipv4, super::parse::DHCP), word(site.lan.ipv6, super::parse::SLAAC)]
        .into_iter()
        .flatten()
        .collect()
}

fn one_or_list<T: std::fmt::Display>(items: impl AsRef<[T]>) -> String {
    match items.as_ref() {
        [one] => quoted(&one.to_string()),
        many => list(many),
    }
}

fn list<T: std::fmt::Display>(items: &[T]) -> String {
    let items: Vec<String> = items.iter().map(|item| quoted(&item.to_string())).collect();
    format!("[{}]", items.join(", "))
}

fn failover(failover: &Failover, line: &mut impl FnMut(String)) {
    if *failover == Failover::default() {
        return;
    }
    line("\n[failover]".into());
    if failover.give_back_by_hand {
        line("# A box that returns takes its own address back when you say so.".into());
        line("give_back = \"manual\"".into());
    }
    if let Some(witness) = failover.witness {
        line(format!("witness = \"{witness}\""));
    }
}

/// A TOML basic string.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

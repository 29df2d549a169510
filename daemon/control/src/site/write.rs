//! From a [`Site`] to the text of its file.

use std::fmt::Write as _;

use super::Site;

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
    line(format!("address = \"{}\"", site.lan.address));
    if let Some(gateway) = site.lan.gateway {
        line(format!("gateway = \"{gateway}\""));
    }
    line(format!("peer = \"{}\"", site.lan.peer));
    line("\n[service]".into());
    line(format!("a = \"{}\"", site.service.a));
    line(format!("b = \"{}\"", site.service.b));
    if let Some(mac) = site.crossover.mac {
        line("\n[crossover]".into());
        line(format!("mac = \"{mac}\""));
    }
    line("\n[timing]".into());
    line(format!("dead_after_ms = {}", site.timing.dead_after_ms));
    line(format!("cold_start_wait_ms = {}", site.timing.cold_start_wait_ms));
    text
}

/// A TOML basic string.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

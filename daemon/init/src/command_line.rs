//! The kernel's command line: what of it is for us.

/// What the kernel was told that matters to PID 1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandLine {
    /// Device names of the consoles, as `ttyS0`, in the order given.
    pub consoles: Vec<String>,
    /// `twinpost.log=`: maild's log filter.
    pub log: Option<String>,
    /// Arguments that start with `twinpost.` and mean nothing to this version.
    pub unknown: Vec<String>,
}

/// Reads `/proc/cmdline`. Quotes are the kernel's: they join words, and there is no escape.
#[must_use]
pub fn parse(text: &str) -> CommandLine {
    let mut found = CommandLine::default();
    for word in words(text) {
        let (name, value) = word.split_once('=').unwrap_or((&word, ""));
        match name {
            "console" => {
                let device = value.split(',').next().unwrap_or_default();
                // tty0 is whichever screen is in front; a program needs one of its own.
                let device = if device == "tty0" { "tty1" } else { device };
                if is_device_name(device) && !found.consoles.iter().any(|known| known == device) {
                    found.consoles.push(device.to_owned());
                }
            }
            "twinpost.log" => found.log = Some(value.to_owned()),
            _ if name.starts_with("twinpost.") => found.unknown.push(word),
            _ => {}
        }
    }
    found
}

/// Terminals that get a menu: the kernel's consoles, the first serial port, the screen.
#[must_use]
pub fn terminals(command_line: &CommandLine) -> Vec<String> {
    let mut all = command_line.consoles.clone();
    for usual in ["ttyS0", "tty1"] {
        if !all.iter().any(|known| known == usual) {
            all.push(usual.into());
        }
    }
    all
}

fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for character in text.chars() {
        match character {
            '"' => quoted = !quoted,
            space if space.is_whitespace() && !quoted => words.push(String::new()),
            other => words.last_mut().expect("it starts with one").push(other),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// It becomes a path below `/dev`, so nothing else may pass.
fn is_device_name(text: &str) -> bool {
    text.starts_with("tty") && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_is_found_among_the_rest() {
        let found = parse(
            "initrd=\\a.efi console=tty0 console=ttyS0,115200n8 console=ttyS0 quiet \
             twinpost.log=\"info, replica=debug\" twinpost.colour=red console=../etc\n",
        );
        assert_eq!(found.consoles, ["tty1", "ttyS0"]);
        assert_eq!(found.log.as_deref(), Some("info, replica=debug"));
        assert_eq!(found.unknown, ["twinpost.colour=red"]);
        assert_eq!(terminals(&found), ["tty1", "ttyS0"]);
    }

    #[test]
    fn nothing_is_something_too() {
        assert_eq!(parse(""), CommandLine::default());
        assert_eq!(terminals(&parse("console=hvc0 console=ttyAMA0")), ["ttyAMA0", "ttyS0", "tty1"]);
    }
}

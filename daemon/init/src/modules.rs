//! Kernel modules: the image says which and in which order.

use std::fs;
use std::path::{Path, PathBuf};

use crate::log::Log;

/// Loads every module of the list, one line each, in its order. One that fails is logged and the
/// others are loaded all the same: a box without a watchdog still serves mail.
pub fn load_all(list: &Path, log: &mut Log) {
    let text = match fs::read_to_string(list) {
        Ok(text) => text,
        Err(error) => {
            log.line("init", &format!("no modules are loaded: {}: {error}", list.display()));
            return;
        }
    };
    let paths = parse(&text);
    let mut loaded = 0;
    for path in &paths {
        match linux::modules::load(path) {
            Ok(()) => loaded += 1,
            Err(error) if error.is_present() => {}
            // A driver for hardware that this box does not have.
            Err(error) if error.is_absent() && path.exists() => {}
            Err(error) => log.line("init", &error.to_string()),
        }
    }
    log.line("init", &format!("{loaded} of {} modules loaded", paths.len()));
}

/// One path a line; empty lines and those that begin with `#` say nothing.
fn parse(text: &str) -> Vec<PathBuf> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| Path::new("/").join(line))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_the_lists() {
        let text = "# virtio first\n/lib/modules/virtio.ko\n\n  lib/modules/virtio_net.ko \n";
        let expected = ["/lib/modules/virtio.ko", "/lib/modules/virtio_net.ko"];
        assert_eq!(parse(text), expected.map(PathBuf::from));
    }

    #[test]
    fn a_missing_list_and_missing_modules_are_logged() {
        let mut log = Log::in_memory();
        load_all(Path::new("/no such list"), &mut log);
        assert!(log.ring().newest(1).all(|line| line.contains("no modules are loaded")));
    }
}

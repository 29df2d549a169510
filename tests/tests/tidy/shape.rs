//! How files look: STYLE's habits 7 and 10.

use super::source::code_only;
use super::tree::{crates, root, rust};
use crate::report;

/// "Mostly 150 to 400 lines, rarely over 800": over it a file is split by duty.
const FILE_LINES_MAX: usize = 800;
/// What rustfmt keeps code to, and the aim for prose.
const CODE_COLUMNS_MAX: usize = 100;
/// rustfmt leaves comments alone, and a sentence that ends a few columns late is no harm.
const COMMENT_COLUMNS_MAX: usize = 120;

#[test]
fn no_file_is_too_long() {
    let long = rust().map(|(file, text)| (file, text.lines().count()));
    let breaches: Vec<String> = long
        .filter(|(_, lines)| *lines > FILE_LINES_MAX)
        .map(|(file, lines)| format!("{file}: {lines} lines"))
        .collect();
    report("files over 800 lines", &breaches);
}

#[test]
fn no_line_is_too_wide() {
    let mut breaches = Vec::new();
    for (file, text) in rust() {
        let code = code_only(text);
        for (index, (line, code)) in text.lines().zip(code.lines()).enumerate() {
            let columns = if is_prose(line, code) { line.chars().count() } else { 0 };
            // rustfmt leaves the arguments of attributes as they are.
            let is_attribute = code.trim_start().starts_with("#[");
            let code_columns = if is_attribute { 0 } else { code.chars().count() };
            if columns > COMMENT_COLUMNS_MAX || code_columns > CODE_COLUMNS_MAX {
                breaches.push(format!(
                    "{file}:{}: {} columns",
                    index + 1,
                    columns.max(code_columns)
                ));
            }
        }
    }
    report("lines that are too wide", &breaches);
}

#[test]
fn every_crate_opens_with_what_it_does() {
    let mut breaches = Vec::new();
    for (name, folder) in crates() {
        let roots = ["src/lib.rs", "src/main.rs"].map(|file| root().join(&folder).join(file));
        let texts: Vec<_> =
            roots.iter().filter_map(|file| std::fs::read_to_string(file).ok()).collect();
        if texts.is_empty() {
            breaches.push(format!("{name}: neither src/lib.rs nor src/main.rs"));
        }
        for text in texts {
            let first = text.lines().next().unwrap_or_default();
            if !first.starts_with("//! ") || first.contains("To be written") {
                breaches.push(format!("{name} opens with {first:?}"));
            }
        }
    }
    report("crates that do not say on top what they do", &breaches);
}

/// A line that is all comment. Rows of tables cannot be broken; nor can literals, which do not count as code either.
fn is_prose(line: &str, code: &str) -> bool {
    let text = line.trim_start();
    let row = text.trim_start_matches(['/', '!', ' ']).starts_with('|');
    text.starts_with("//") && code.trim().is_empty() && !row
}

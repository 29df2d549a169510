//! Rust source without its comments and literals, for rules about what the code itself says.

/// Blanks comments, strings and character literals. Lines keep their numbers.
pub fn code_only(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let length = token_to_blank(rest, code.chars().next_back());
        match length {
            0 => {
                code.push(first);
                rest = &rest[first.len_utf8()..];
            }
            length => {
                let newlines = rest[..length].matches('\n').count();
                code.push(' ');
                code.extend(std::iter::repeat_n('\n', newlines));
                rest = &rest[length..];
            }
        }
    }
    code
}

/// What stands before the tests of a file: by habit they are its last part.
pub fn without_tests(source: &str) -> &str {
    match source.find("\n#[cfg(test)]\nmod ") {
        // `mod NAME;` only names another file; the code below it still counts.
        Some(at) if source[at..].lines().nth(2).is_some_and(|line| line.ends_with('{')) => {
            &source[..at]
        }
        _ => source,
    }
}

/// Whether `word` stands in the code by itself, not as a part of a longer name. Gives its line numbers.
pub fn lines_with_word(code: &str, word: &str) -> Vec<usize> {
    let part_of_name = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let has_word = |line: &str| {
        line.match_indices(word).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            let after = line[at + word.len()..].chars().next();
            !part_of_name(before) && !part_of_name(after)
        })
    };
    let lines = code.lines().enumerate();
    lines.filter(|(_, line)| has_word(line)).map(|(index, _)| index + 1).collect()
}

/// The length of the comment or literal at the head of `rest`, 0 when there is none.
fn token_to_blank(rest: &str, before: Option<char>) -> usize {
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return rest.find("*/").map_or(rest.len(), |at| at + 2);
    }
    let in_name = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    if !in_name && let Some(length) = raw_string(rest) {
        return length;
    }
    match rest.as_bytes()[0] {
        b'"' => quoted(rest, b'"'),
        b'\'' if is_character(rest) => quoted(rest, b'\''),
        _ => 0,
    }
}

/// `r"…"`, `r#"…"#`, also with a `b` or `c` before.
fn raw_string(rest: &str) -> Option<usize> {
    let prefix =
        rest.find('r').filter(|&at| at == 0 || (at == 1 && rest.starts_with(['b', 'c'])))?;
    let hashes = rest[prefix + 1..].bytes().take_while(|&byte| byte == b'#').count();
    let open = prefix + 1 + hashes;
    if rest.as_bytes().get(open) != Some(&b'"') {
        return None;
    }
    let close = format!("\"{}", "#".repeat(hashes));
    let end = rest[open + 1..].find(&close)? + open + 1;
    Some(end + close.len())
}

/// A literal up to its closing mark; a backslash covers what follows it.
fn quoted(rest: &str, mark: u8) -> usize {
    let bytes = rest.as_bytes();
    let mut at = 1;
    while at < bytes.len() && bytes[at] != mark {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    let end = (at + 1).min(bytes.len());
    (end..=bytes.len()).find(|&end| rest.is_char_boundary(end)).unwrap_or(bytes.len())
}

/// `'x'` or `'\n'`, not the lifetime `'x`.
fn is_character(rest: &str) -> bool {
    let mut characters = rest.chars().skip(1);
    match characters.next() {
        Some('\\') => true,
        Some(_) => characters.next() == Some('\''),
        None => false,
    }
}

#[test]
fn comments_and_literals_are_blanked_and_lines_kept() {
    let source = "let a = \"un\\\"safe\"; // unsafe\nlet b = r#\"unsafe \" \"#; 'x' 'é' '\\''\nfn f<'a>() {}\n\
                  /* unsafe\n */ b\"x\" c\n";
    let code = code_only(source);
    assert!(!code.contains("unsafe"), "{code}");
    assert!(code.contains("fn f<'a>() {}"), "{code}");
    assert_eq!(code.lines().count(), source.lines().count());
    assert_eq!(lines_with_word("a\nunsafe_code unsafe {\n", "unsafe"), [2]);
    assert_eq!(lines_with_word("forbid(unsafe_code)", "unsafe"), [0; 0]);
}

#[test]
fn only_inline_tests_are_left_out() {
    assert_eq!(without_tests("code\n\n#[cfg(test)]\nmod tests {\n}\n"), "code\n");
    let file = "code\n\n#[cfg(test)]\nmod tests;\ncode\n";
    assert_eq!(without_tests(file), file);
}

//! What a segment file is: a header twice, then entries, then zeros (or the end of the file).
//!
//! | file | what |
//! |---|---|
//! | `POSITION.log` | a segment, by the position of its first record, 20 digits |
//! | `POSITION.idx` | the side index of a sealed segment; derived, built anew when missing or bad |
//! | `restoring` | while it is there, the rest is half made (see `backup`) |
//! | `*.tmp` | a segment in the making: the one zeroed ahead, or a new header; removed at opening |
//!
//! A sealed segment may be rewritten, with less or mended content, as a whole: the new file takes the name
//! of the old when it is durable. Its records keep their ordinals.
//!
//! A segment gets its name only when its header is durable, and its header is written only when all
//! before it is durable. So all segments but the newest are complete.

pub mod entry;
pub mod header;
pub mod index;
pub mod survey;

pub const SPARE_FILE: &str = "spare.tmp";
pub const FRESH_FILE: &str = "fresh.tmp";
pub const REWRITTEN_FILE: &str = "rewritten.tmp";

pub fn segment_file(first: u64) -> String {
    format!("{first:020}.log")
}

pub fn index_file(first: u64) -> String {
    format!("{first:020}.idx")
}

/// The position in the name of a segment file; `None` for any other file.
pub fn parse_segment_file(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".log")?;
    (digits.len() == 20).then(|| digits.parse().ok())?
}

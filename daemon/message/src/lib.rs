//! What a mail server has to know about a message: where its header ends, its header fields, its
//! envelope, its MIME structure, and the byte range of every part.
//!
//! All of it works on the message as it lies in the store and answers with ranges of those bytes, so
//! that what a client fetches is what was sent, to the byte. Nothing here fails: any sequence of bytes
//! is a message, and what cannot be understood is body text. Nothing here does I/O, changes a message
//! or recurses deeper than [`limits::DEPTH_MAX`].
//!
//! The structure is found by this crate's own scanner, because ranges must be exact and hostile
//! nesting must be bounded; mail-parser decodes what people read (character sets, encoded words,
//! transfer encodings, dates).
//!
//! [`line`] cuts what a protocol brings into lines.
//!
//! Start reading at [`header`], then [`structure`] and [`section`].

pub mod address;
pub mod content;
pub mod envelope;
pub mod header;
pub mod limits;
pub mod line;
pub mod section;
pub mod structure;
pub mod text;

pub use address::Address;
pub use content::{Content, Value};
pub use envelope::Envelope;
pub use header::{Field, field, fields, header_length, split};
pub use section::{Found, Section, What};
pub use structure::{Kind, Part};

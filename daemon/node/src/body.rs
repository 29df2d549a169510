//! Message bytes as parts: the header section, then chunks; compressed where that gains something.

use record::limits::CHUNK_BYTES;
use record::{BodyPart, BodyRef, Codec, Op, Record, Writer};

use crate::limits::{ZSTD_KEEP_PERCENT, ZSTD_LEVEL};

/// A message ready for the log: its parts and what the entry says of them.
pub struct Body {
    pub parts: Vec<(BodyPart, Codec, Vec<u8>)>,
    header_bytes: u32,
    size_bytes: u32,
}

impl Body {
    /// Cuts and compresses; runs in the receiving task, not on the node's loop.
    #[must_use]
    pub fn new(message: &[u8]) -> Body {
        let header_bytes = message::header_length(message);
        let (header, rest) = message.split_at(header_bytes);
        let chunks = header.chunks(CHUNK_BYTES).chain(rest.chunks(CHUNK_BYTES));
        let mut parts: Vec<_> =
            chunks.enumerate().map(|(number, plain)| part(number as u32, plain)).collect();
        if parts.is_empty() {
            parts.push(part(0, b""));
        }
        Body { parts, header_bytes: header_bytes as u32, size_bytes: message.len() as u32 }
    }

    /// What an entry says of it; the index of the first part is not known yet.
    #[must_use]
    pub fn reference(&self, writer: Writer) -> BodyRef {
        BodyRef {
            writer,
            index: 0,
            parts: self.parts.len() as u32,
            header_bytes: self.header_bytes,
            size_bytes: self.size_bytes,
        }
    }
}

fn part(number: u32, plain: &[u8]) -> (BodyPart, Codec, Vec<u8>) {
    let about = BodyPart { part: number, plain_bytes: plain.len() as u32 };
    match zstd::bulk::compress(plain, ZSTD_LEVEL) {
        Ok(small) if small.len() * 100 <= plain.len() * ZSTD_KEEP_PERCENT => {
            (about, Codec::Zstd, small)
        }
        _ => (about, Codec::Raw, plain.to_vec()),
    }
}

/// The plain bytes of one part.
///
/// # Errors
/// What is wrong with a record that should be a part of a body.
pub fn plain(record: &Record) -> Result<Vec<u8>, String> {
    let Op::Body(about) = &record.op else {
        return Err(format!("record {:?} is no part of a body", record.address()));
    };
    let plain_bytes = about.plain_bytes as usize;
    if plain_bytes > CHUNK_BYTES {
        return Err(format!("a part of {plain_bytes} bytes; {CHUNK_BYTES} are possible"));
    }
    let plain = match record.codec {
        Codec::Raw => record.payload.clone(),
        Codec::Zstd => zstd::bulk::decompress(&record.payload, plain_bytes)
            .map_err(|e| format!("record {:?}: {e}", record.address()))?,
    };
    if plain.len() != plain_bytes {
        return Err(format!("a part has {} bytes; expected {plain_bytes}", plain.len()));
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use record::{Clock, Side};

    fn round_trip(message: &[u8]) -> (usize, Vec<u8>) {
        let body = Body::new(message);
        let writer = Writer { side: Side::A, incarnation: 1 };
        let mut out = Vec::new();
        for (index, (about, codec, payload)) in body.parts.iter().enumerate() {
            let record = Record {
                writer,
                index: index as u64,
                clock: Clock(1),
                seen: Default::default(),
                op: Op::Body(*about),
                codec: *codec,
                payload: payload.clone(),
            };
            out.extend(plain(&record).unwrap());
        }
        (body.parts.len(), out)
    }

    #[test]
    fn bytes_come_back_as_they_went() {
        let long = [b"Subject: x\r\n\r\n".to_vec(), vec![b'a'; 600 * 1024]].concat();
        for (message, parts) in [
            (b"".as_slice(), 1),
            (b"Subject: x\r\n\r\nhello", 2),
            (b"no header at all", 1),
            (&long, 4),
        ] {
            let (got, out) = round_trip(message);
            assert_eq!(out, message);
            assert_eq!(got, parts, "{:?}", &message[..message.len().min(20)]);
        }
    }
}

//! Every limit of this crate. What lies beyond one is still delivered and fetched unchanged; it is
//! only not taken apart any further.

/// Levels of multipart and message/rfc822 inside one another. A deeper one is an opaque part.
pub const DEPTH_MAX: usize = 32;

/// Parts in one message. Those after it are not listed, though the bytes stay in their multipart.
pub const PARTS_MAX: usize = 10_000;

/// Bytes of a boundary that is believed (RFC 2046 §5.1.1 allows 70).
pub const BOUNDARY_BYTES_MAX: usize = 256;

/// Parameters of one Content-Type or Content-Disposition field.
pub const PARAMETERS_MAX: usize = 64;

/// Languages of one Content-Language field.
pub const LANGUAGES_MAX: usize = 64;

/// Addresses (group marks included) that one kind of address field yields.
pub const ADDRESSES_MAX: usize = 10_000;

/// Bytes of one field's value that are looked at for the envelope and the structure.
pub const FIELD_BYTES_MAX: usize = 1 << 20;

/// Bytes of one field's value that are decoded for searching.
pub const DECODED_FIELD_BYTES_MAX: usize = 64 << 10;

/// Bytes of one text part that are decoded for searching.
pub const DECODED_TEXT_BYTES_MAX: usize = 16 << 20;

//! What the programs of one box tell each other locally, and the site file they all start from.
//!
//! [`site::Site`] is the owner's file of settings, checked when it is read. [`message`] holds the
//! questions, answers and notices that travel over the two local sockets ([`paths`]), [`status`]
//! the picture of a running maild, [`frame`] turns values into bytes and back. Nothing here opens a
//! socket or a file, and nothing here decides anything.
//!
//! All programs of a box come from one image, so the messages carry no version of their own.
//!
//! Start reading at [`message`], then [`status::Status`], then [`site::Site`].

pub mod frame;
pub mod limits;
pub mod message;
pub mod paths;
pub mod site;
pub mod status;

pub use frame::{Decoder, FrameError, encode};
pub use message::{ClockChange, Event, FromInit, FromMaild, Program, Report, ToInit, ToMaild};
pub use site::{Site, SiteError};
pub use status::{Digest, Link, LinkPath, Log, Peer, Side, Status, View};

//! Small typed clients.

//! Where the programs of a box find each other: a table of names that more than one of them uses.

/// Init listens: ticks from maild, power requests from the console and the panel.
pub const INIT_SOCKET: &str = "/run/twinpost/init.sock";
/// Maild listens: questions about its state.
pub const MAILD_SOCKET: &str = "/run/twinpost/maild.sock";
/// The site file, copied from the ESP at each boot (mode 0640, group maild).
pub const SITE_FILE: &str = "/run/twinpost/site.toml";
/// The site file's place inside the ESP.
pub const SITE_FILE_ON_ESP: &str = "twinpost/site.toml";

/// Where the data partition is mounted.
pub const DATA: &str = "/data";
/// Maild's state.
pub const DATA_MAIL: &str = "/data/mail";
/// Pair id, keys, the peer's pinned key.
pub const DATA_IDENTITY: &str = "/data/identity";

/// Unix seconds, written by init now and then: no clock of the box starts before it.
pub const DATA_CLOCK: &str = "/data/clock";

/// The firmware's version, one line of text.
pub const VERSION_FILE: &str = "/etc/twinpost/version";
/// When the image was built, Unix seconds: no clock of a box runs before it.
pub const BUILD_TIME_FILE: &str = "/etc/twinpost/build-time";
/// Kernel modules, one path a line, in the order of loading.
pub const MODULES_LIST: &str = "/etc/twinpost/modules.list";

/// The GPT labels of the two partitions.
pub const ESP_LABEL: &str = "twinpost-esp";
/// See [`ESP_LABEL`].
pub const DATA_LABEL: &str = "twinpost-data";

/// Maild's user and group.
pub const MAILD_UID: u32 = 900;
/// See [`MAILD_UID`].
pub const MAILD_GID: u32 = 900;

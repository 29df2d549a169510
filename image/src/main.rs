//! `twinpost`: the command line of the builder.

use clap::{Parser, Subcommand};

/// Builds, inspects and tries twinpost firmware.
#[derive(Debug, Parser)]
#[command(name = "twinpost", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Checks what this machine lacks for building and booting images.
    Host(image::host::HostArgs),
    /// Boots a pair under QEMU.
    Demo(image::demo::DemoArgs),
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Host(args) => image::host::run(&args),
        Command::Demo(args) => image::demo::run(args),
    }
}

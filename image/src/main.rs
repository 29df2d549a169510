//! `twinpost`: the command line of the builder.

use std::process::ExitCode;

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
    /// Builds a disk image for a board.
    Build(image::build::BuildOptions),
    /// Puts a site file into an image, so that it becomes one box of a pair.
    Site(image::site::SiteArgs),
    /// Lists what is in an image.
    Inspect(image::inspect::InspectArgs),
    /// Checks what this machine lacks for building and booting images.
    Host(image::host::HostArgs),
    /// Boots a pair under QEMU.
    Demo(image::demo::DemoArgs),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Build(options) => image::build::build(&options).map(drop),
        Command::Site(args) => image::site::run(&args),
        Command::Inspect(args) => image::inspect::run(&args),
        Command::Host(args) => image::host::run(&args),
        Command::Demo(args) => image::demo::run(args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("twinpost: {error:#}");
            ExitCode::FAILURE
        }
    }
}

//! What this workstation must have, and how it gets what it lacks.
//!
//! Everything comes from Debian by `apt-get`: at once when this is root or may use sudo without a
//! password, otherwise the person is shown the exact commands.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::progress::{APT_STATUS, Step};
use crate::run;

/// What something is needed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To make an image.
    Build,
    /// To boot it here.
    Run,
    /// To check an image with the reference tools.
    Check,
}

/// One thing the host must have.
#[derive(Debug, Clone, Copy)]
pub struct Need {
    pub name: &'static str,
    pub why: &'static str,
    /// The Debian package that brings it.
    pub package: &'static str,
    pub purpose: Purpose,
    find: Find,
}

#[derive(Debug, Clone, Copy)]
enum Find {
    Program,
    File(&'static str),
}

impl Need {
    /// Whether it is here already.
    pub fn is_met(&self) -> bool {
        match self.find {
            Find::Program => run::find_program(self.name).is_some(),
            Find::File(path) => Path::new(path).exists(),
        }
    }
}

/// Everything that building, booting and checking an image takes.
pub const NEEDS: &[Need] = &[
    need("apt-get", Purpose::Build, Find::Program, "apt", "fetches the kernel package"),
    need("dpkg-deb", Purpose::Build, Find::Program, "dpkg", "unpacks the kernel package"),
    need("cc", Purpose::Build, Find::Program, "gcc", "links the programs for the box"),
    need("libc.a", Purpose::Build, Find::File(LIBC), "libc6-dev", "links them statically"),
    need("xz", Purpose::Build, Find::Program, "xz-utils", "unpacks compressed kernel modules"),
    need("mformat", Purpose::Build, Find::Program, "mtools", "makes the FAT partition"),
    need("mcopy", Purpose::Build, Find::Program, "mtools", "fills the FAT partition"),
    need("mke2fs", Purpose::Build, Find::Program, "e2fsprogs", "makes the data partition"),
    need("systemd-boot", Purpose::Build, Find::File(SYSTEMD_BOOT), EFI_PACKAGE, "starts the image"),
    need("UKI stub", Purpose::Build, Find::File(UKI_STUB), EFI_PACKAGE, "the head of the image"),
    need("qemu-system-x86_64", Purpose::Run, Find::Program, QEMU, "runs a box here"),
    need("OVMF", Purpose::Run, Find::File(OVMF_CODE), "ovmf", "the UEFI of a QEMU box"),
    need("fsck.fat", Purpose::Check, Find::Program, "dosfstools", "checks the FAT partition"),
    need("e2fsck", Purpose::Check, Find::Program, "e2fsprogs", "checks the data partition"),
];

/// systemd-boot, as Debian installs it.
pub const SYSTEMD_BOOT: &str = "/usr/lib/systemd/boot/efi/systemd-bootx64.efi";
/// The head of a unified kernel image, as Debian installs it.
pub const UKI_STUB: &str = "/usr/lib/systemd/boot/efi/linuxx64.efi.stub";
/// The package both come from.
pub const EFI_PACKAGE: &str = "systemd-boot-efi";
/// The UEFI that QEMU maps as its first flash; each box gets a copy of `OVMF_VARS` as its second.
pub const OVMF_CODE: &str = "/usr/share/OVMF/OVMF_CODE_4M.fd";
/// The empty variable store that goes with `OVMF_CODE`.
pub const OVMF_VARS: &str = "/usr/share/OVMF/OVMF_VARS_4M.fd";

const LIBC: &str = "/usr/lib/x86_64-linux-gnu/libc.a";
const QEMU: &str = "qemu-system-x86";

const fn need(
    name: &'static str,
    purpose: Purpose,
    find: Find,
    package: &'static str,
    why: &'static str,
) -> Need {
    Need { name, why, package, purpose, find }
}

/// What `twinpost host` takes.
#[derive(Debug, clap::Args)]
pub struct HostArgs {
    /// Install what is missing (as root, or by sudo without a password)
    #[arg(long)]
    install: bool,
}

/// `twinpost host`: a line for each need, then either the installation or the commands for it.
pub fn run(args: &HostArgs) -> Result<()> {
    for need in NEEDS {
        let state = if need.is_met() { "ok     " } else { "MISSING" };
        println!("{state} {:20} {} (package {})", need.name, need.why, need.package);
    }
    if missing(NEEDS).is_empty() {
        println!("This machine has everything.");
        return Ok(());
    }
    if args.install {
        return ensure_for(&[Purpose::Build, Purpose::Run, Purpose::Check]);
    }
    println!("\nTo install what is missing, run `twinpost host --install` as root, or yourself:");
    for command in by_hand(&missing(NEEDS)) {
        println!("  {command}");
    }
    bail!("this machine lacks something")
}

/// Makes sure that an image can be built and booted here: installs what is missing, or fails with
/// the commands to run.
pub fn ensure() -> Result<()> {
    ensure_for(&[Purpose::Build, Purpose::Run])
}

/// `ensure` for some purposes only.
pub fn ensure_for(purposes: &[Purpose]) -> Result<()> {
    let needs: Vec<Need> =
        NEEDS.iter().filter(|need| purposes.contains(&need.purpose)).copied().collect();
    ensure_packages(&missing(&needs))?;
    match needs.iter().find(|need| !need.is_met()) {
        None => Ok(()),
        Some(need) => bail!("{} is still missing after installing {}", need.name, need.package),
    }
}

/// Installs Debian packages, by name, that are not needed for an image but for something else: a
/// test's browser, say.
pub fn ensure_packages(packages: &[&str]) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    let Some(become_root) = Root::reachable() else {
        let commands = by_hand(packages).join("\n  ");
        bail!("this machine lacks {}; run, as root:\n  {commands}", packages.join(", "));
    };
    let step = Step::percent("host");
    install(packages, become_root, &step)?;
    step.done(format!("installed {}", packages.join(", ")));
    Ok(())
}

/// Fails, with what to do, when something that a build takes is not here.
pub fn check_for(purpose: Purpose) -> Result<()> {
    let needs = NEEDS.iter().filter(|need| need.purpose == purpose);
    let lacking: Vec<&str> = needs.filter(|need| !need.is_met()).map(|need| need.name).collect();
    if lacking.is_empty() {
        return Ok(());
    }
    bail!("this machine lacks {}; `twinpost host --install` gets it", lacking.join(", "))
}

/// The packages behind the needs that are not met, each once.
fn missing(needs: &[Need]) -> Vec<&'static str> {
    let mut packages = Vec::new();
    for need in needs.iter().filter(|need| !need.is_met()) {
        if !packages.contains(&need.package) {
            packages.push(need.package);
        }
    }
    packages
}

/// How this process may act as root.
#[derive(Debug, Clone, Copy)]
enum Root {
    Already,
    Sudo,
}

impl Root {
    fn reachable() -> Option<Root> {
        let id = Command::new("id").arg("-u").output().ok()?;
        if id.stdout.trim_ascii() == b"0" {
            return Some(Root::Already);
        }
        let sudo = Command::new("sudo").args(["-n", "true"]).output().ok()?;
        sudo.status.success().then_some(Root::Sudo)
    }

    fn command(self, words: &[&str]) -> Command {
        let mut command = match self {
            Root::Already => Command::new("env"),
            Root::Sudo => {
                let mut sudo = Command::new("sudo");
                sudo.args(["-n", "env"]);
                sudo
            }
        };
        command.arg("DEBIAN_FRONTEND=noninteractive").args(words);
        command
    }
}

fn install(packages: &[&str], root: Root, step: &Step) -> Result<()> {
    let batches = batches(packages, target_release(&installed_qemu()));
    let backports = batches.iter().find_map(|batch| batch.release.clone());
    if let Some(release) = backports.filter(|release| !knows_release(release)) {
        enable_backports(&release, root)?;
        update(root, step)?;
    } else if packages.iter().any(|package| !has_candidate(package)) {
        update(root, step)?;
    }
    for batch in &batches {
        let mut words = batch.words();
        words.splice(1..1, APT_PATIENCE.into_iter().chain(APT_STATUS));
        let attempt = || run::watch(&mut root.command(&words), |line| step.apt(line));
        // The package lists may be older than the archive: files they name are gone then.
        if attempt().is_err() {
            update(root, step)?;
            attempt()?;
        }
    }
    Ok(())
}

/// One `apt-get install`: the packages that come from one release.
#[derive(Debug, PartialEq, Eq)]
struct Batch<'a> {
    release: Option<String>,
    packages: Vec<&'a str>,
}

impl Batch<'_> {
    fn words(&self) -> Vec<&str> {
        let mut words = vec!["apt-get", "install", "-y", "--no-install-recommends"];
        if let Some(release) = &self.release {
            words.extend(["-t", release]);
        }
        words.extend(&self.packages);
        words
    }
}

/// QEMU's packages must be of one version: with parts of it from backports already here, the plain
/// release's `qemu-system-x86` cannot be installed beside them. Everything else comes from the
/// plain release.
fn batches<'a>(packages: &[&'a str], qemu_release: Option<String>) -> Vec<Batch<'a>> {
    let (qemu, plain): (Vec<&str>, Vec<&str>) =
        packages.iter().partition(|package| qemu_release.is_some() && package.starts_with("qemu"));
    [Batch { release: None, packages: plain }, Batch { release: qemu_release, packages: qemu }]
        .into_iter()
        .filter(|batch| !batch.packages.is_empty())
        .collect()
}

/// The backports release that the installed parts of QEMU come from, when they do:
/// `bookworm-backports`.
fn target_release(installed: &str) -> Option<String> {
    let backported = installed
        .lines()
        .filter_map(|line| line.strip_prefix("installed "))
        .any(|version| version.contains("~bpo"));
    if backported { codename().map(|name| format!("{name}-backports")) } else { None }
}

/// `installed VERSION` for each part of QEMU that is here.
fn installed_qemu() -> String {
    let mut query = Command::new("dpkg-query");
    query.args(["-W", "-f", "${db:Status-Status} ${Version}\\n", "qemu*"]);
    // dpkg-query fails when nothing matches: then nothing is installed.
    run::capture(&mut query).unwrap_or_default()
}

fn codename() -> Option<String> {
    let text = std::fs::read_to_string("/etc/os-release").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="))?;
    Some(line.trim_matches('"').to_owned())
}

fn knows_release(release: &str) -> bool {
    let policy = run::capture(Command::new("apt-cache").arg("policy")).unwrap_or_default();
    policy.contains(&format!("n={release},"))
}

fn has_candidate(package: &str) -> bool {
    let policy = run::capture(Command::new("apt-cache").args(["policy", package]));
    policy.is_ok_and(|text| text.contains("Candidate:") && !text.contains("Candidate: (none)"))
}

/// Asks Debian's archive what there is today, as far as this process may.
pub fn refresh_lists(step: &Step) -> Result<()> {
    match Root::reachable() {
        Some(root) => update(root, step),
        None => bail!("Debian's package lists are missing or old; run: sudo apt-get update"),
    }
}

fn update(root: Root, step: &Step) -> Result<()> {
    let words = [&["apt-get", "update"][..], &APT_PATIENCE, &APT_STATUS].concat();
    run::watch(&mut root.command(&words), |line| step.apt(line))
        .context("cannot refresh Debian's package lists")
}

/// Adds the backports release to apt's sources, from the archive that the plain release comes from.
fn enable_backports(release: &str, root: Root) -> Result<()> {
    let source = backports_source(release);
    let script = format!("printf '{}' > {BACKPORTS_FILE}", source.replace('\n', "\\n"));
    run::quiet(&mut root.command(&["sh", "-c", &script]))
        .with_context(|| format!("cannot write {BACKPORTS_FILE}"))?;
    eprintln!("  {:14} added {release} to apt's sources, in {BACKPORTS_FILE}", "host");
    Ok(())
}

fn backports_source(release: &str) -> String {
    let plain = release.trim_end_matches("-backports");
    let mut query = Command::new("apt-get");
    query.args(["indextargets", "--format", "$(CODENAME) $(REPO_URI)", "Created-By: Packages"]);
    let targets = run::capture(&mut query).unwrap_or_default();
    let archive = targets
        .lines()
        .filter_map(|line| line.split_once(' '))
        .find(|(name, _)| *name == plain)
        .map_or("http://deb.debian.org/debian/", |(_, archive)| archive);
    format!(
        "Types: deb\nURIs: {archive}\nSuites: {release}\nComponents: main\n\
         Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
    )
}

/// Another apt may be at work: wait for it.
const APT_PATIENCE: [&str; 2] = ["-o", "DPkg::Lock::Timeout=300"];
const BACKPORTS_FILE: &str = "/etc/apt/sources.list.d/twinpost-backports.sources";

/// What a person without root rights has to have typed, in order.
fn by_hand(packages: &[&str]) -> Vec<String> {
    let batches = batches(packages, target_release(&installed_qemu()));
    let mut commands = Vec::new();
    let backports = batches.iter().find_map(|batch| batch.release.as_ref());
    if let Some(release) = backports.filter(|release| !knows_release(release)) {
        let source = backports_source(release).replace('\n', "\\n");
        commands.push(format!("printf '{source}' | sudo tee {BACKPORTS_FILE}"));
    }
    commands.push("sudo apt-get update".to_owned());
    commands.extend(batches.iter().map(|batch| format!("sudo {}", batch.words().join(" "))));
    commands
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_qemu_comes_from_backports_and_only_when_parts_of_it_do() {
        let packages = ["mtools", "qemu-system-x86", "ovmf"];
        let split = batches(&packages, Some("bookworm-backports".into()));
        let lines: Vec<String> = split.iter().map(|batch| batch.words().join(" ")).collect();
        assert_eq!(
            lines,
            [
                "apt-get install -y --no-install-recommends mtools ovmf",
                "apt-get install -y --no-install-recommends -t bookworm-backports qemu-system-x86",
            ]
        );
        assert_eq!(batches(&packages, None)[0].packages, packages);
        assert_eq!(batches(&packages, None).len(), 1);
    }

    #[test]
    fn a_backported_part_is_recognised_by_its_version() {
        assert_eq!(target_release("installed 1:7.2+dfsg-7\nnot-installed \n"), None);
        let found = target_release("installed 1:10.0.2+ds-2~bpo12+1\n");
        assert_eq!(found, codename().map(|name| format!("{name}-backports")));
    }

    #[test]
    fn each_missing_package_is_named_once() {
        const HERE: Need = need("sh", Purpose::Build, Find::Program, "dash", "");
        const GONE: Need = need("x", Purpose::Build, Find::File("/nowhere/x"), "gone", "");
        assert_eq!(missing(&[HERE, GONE, GONE]), ["gone"]);
    }
}

//! `twinpost inspect`: what is in an image, read from the image alone.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::disk::{self, Extent};
use crate::initramfs::{self, Listed};
use crate::manifest::{Entry, Manifest};
use crate::progress::human;
use crate::uki::{self, Section};

/// What `twinpost inspect` takes.
#[derive(Debug, clap::Args)]
pub struct InspectArgs {
    /// A disk image
    image: PathBuf,
}

/// Prints the report.
pub fn run(args: &InspectArgs) -> Result<()> {
    print!("{}", Inspection::of(&args.image)?.report());
    Ok(())
}

/// An image, taken apart.
#[derive(Debug, Clone)]
pub struct Inspection {
    pub partitions: Vec<Extent>,
    /// Path and size of each file in the ESP.
    pub esp: Vec<(String, u64)>,
    /// The images that the loader would find.
    pub ukis: Vec<Uki>,
    pub manifest: Option<Manifest>,
    /// Files of the ESP whose contents are not what the manifest says.
    pub altered: Vec<String>,
}

/// One unified kernel image.
#[derive(Debug, Clone)]
pub struct Uki {
    pub path: String,
    pub sections: Vec<(String, u64)>,
    pub cmdline: String,
    pub kernel: String,
    pub os_release: String,
    /// The paths of the modules, in the order of loading.
    pub modules: Vec<String>,
    /// Name, size and mode of each file of the initramfs.
    pub initramfs: Vec<(String, u64, u32)>,
}

impl Inspection {
    /// Takes an image apart.
    pub fn of(image: &Path) -> Result<Inspection> {
        let partitions = disk::extents(image)?;
        let partition = disk::find(&partitions, disk::ESP_NAME)?;
        let mut inspection = Inspection {
            partitions,
            esp: Vec::new(),
            ukis: Vec::new(),
            manifest: None,
            altered: Vec::new(),
        };
        let mut entries = Vec::new();
        for path in disk::list_esp(image, &partition)? {
            let bytes = disk::read_from_esp(image, &partition, &path)?;
            inspection.esp.push((path.clone(), bytes.len() as u64));
            entries.push(Entry::of(&path, &bytes));
            if path.starts_with("EFI/Linux/") {
                let uki = Uki::of(&path, &bytes).with_context(|| format!("{path} is damaged"))?;
                inspection.ukis.push(uki);
            } else if path == disk::MANIFEST_FILE {
                inspection.manifest = Some(Manifest::from_json(&bytes)?);
            }
        }
        if let Some(manifest) = &inspection.manifest {
            let altered = manifest.esp.iter().filter(|entry| !entries.contains(entry));
            inspection.altered = altered.map(|entry| entry.path.clone()).collect();
        }
        Ok(inspection)
    }

    /// The whole of it, for a person.
    pub fn report(&self) -> String {
        let mut report = Report::default();
        report.title("Partitions");
        for partition in &self.partitions {
            let at = format!("at {}", human(partition.start));
            report.line(&[&partition.name, &human(partition.bytes), &at]);
        }
        report.title("ESP");
        for (path, bytes) in &self.esp {
            report.line(&[path, &human(*bytes)]);
        }
        for uki in &self.ukis {
            uki.report(&mut report);
        }
        if let Some(manifest) = &self.manifest {
            report_manifest(&mut report, manifest);
            match self.altered.as_slice() {
                [] => report.line(&["every file of the ESP is as it was built"]),
                altered => report.line(&["ALTERED since it was built:", &altered.join(", ")]),
            }
        }
        report.text
    }
}

impl Uki {
    fn of(path: &str, bytes: &[u8]) -> Result<Uki> {
        let sections = uki::read(bytes)?;
        let initramfs = initramfs::unpack(section(&sections, ".initrd")?)?;
        let modules = initramfs.iter().find(|file| file.name == "etc/twinpost/modules.list");
        Ok(Uki {
            path: path.to_owned(),
            cmdline: text(section(&sections, ".cmdline")?),
            kernel: text(section(&sections, ".uname")?),
            os_release: text(section(&sections, ".osrel")?),
            modules: modules.map(lines).unwrap_or_default(),
            initramfs: initramfs
                .iter()
                .map(|file| (file.name.clone(), file.bytes.len() as u64, file.mode))
                .collect(),
            sections: sections
                .into_iter()
                .map(|section| (section.name, section.bytes.len() as u64))
                .collect(),
        })
    }

    fn report(&self, report: &mut Report) {
        report.title(&self.path);
        for (name, bytes) in &self.sections {
            report.line(&[name, &human(*bytes)]);
        }
        report.title("Kernel");
        report.line(&["release", &self.kernel]);
        report.line(&["command line", &self.cmdline]);
        for line in self.os_release.lines() {
            report.line(&["os-release", line]);
        }
        report.title("Modules, in the order of loading");
        for module in &self.modules {
            report.line(&[module]);
        }
        report.title("Initramfs");
        let files = self.initramfs.iter().filter(|(_, _, mode)| mode & 0o170_000 != 0o040_000);
        for (name, bytes, mode) in files {
            report.line(&[&format!("/{name}"), &human(*bytes), &format!("{mode:o}")]);
        }
    }
}

fn report_manifest(report: &mut Report, manifest: &Manifest) {
    report.title("Manifest");
    let kernel = &manifest.kernel_package;
    report.line(&["version", &manifest.version]);
    report.line(&["board", &manifest.board]);
    report.line(&["build time", &manifest.build_time.to_string()]);
    report.line(&["commit", manifest.commit.as_deref().unwrap_or("unknown")]);
    report.line(&["rustc", &manifest.rustc]);
    report.line(&["kernel package", &format!("{} {}", kernel.package, kernel.version)]);
    report.line(&["", &format!("sha256 {}", kernel.sha256)]);
    for (package, version) in &manifest.host_packages {
        report.line(&[package, version]);
    }
}

/// Lines of columns under titles.
#[derive(Default)]
struct Report {
    text: String,
}

impl Report {
    fn title(&mut self, title: &str) {
        let gap = if self.text.is_empty() { "" } else { "\n" };
        writeln!(self.text, "{gap}{title}").expect("writing to a string does not fail");
    }

    fn line(&mut self, columns: &[&str]) {
        let mut line = String::from(" ");
        for column in columns {
            write!(line, " {column:30}").expect("writing to a string does not fail");
        }
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }
}

fn section<'a>(sections: &'a [Section], name: &str) -> Result<&'a [u8]> {
    let found = sections.iter().find(|section| section.name == name);
    Ok(&found.with_context(|| format!("it has no section {name}"))?.bytes)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn lines(file: &Listed) -> Vec<String> {
    text(&file.bytes).lines().map(str::to_owned).collect()
}

//! Debian packages: which one a name stands for today, its file, what is in it.
//!
//! Files are kept by their SHA-256, so a build that has been done once needs no network, and a
//! package that has vanished from the archive can still be used. None of this needs root.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::progress::{APT_STATUS, Step, human};
use crate::{host, manifest, run};

/// One package file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deb {
    pub package: String,
    pub version: String,
    pub sha256: String,
    #[serde(skip)]
    pub file: PathBuf,
}

impl Deb {
    /// A package file that someone has brought.
    pub fn open(file: &Path) -> Result<Deb> {
        let field = |name: &str| {
            let mut command = run::program("dpkg-deb")?;
            command.arg("-f").arg(file).arg(name);
            run::capture(&mut command).map(|text| text.trim().to_owned())
        };
        Ok(Deb {
            package: field("Package")?,
            version: field("Version")?,
            sha256: manifest::sha256_of(file)?,
            file: file.to_owned(),
        })
    }

    /// The package that Debian has today, from the cache where it is there.
    pub fn fetch(package: &str, cache: &Path) -> Result<Deb> {
        let step = Step::percent("package");
        step.say(package);
        let (deb, origin) = Deb::attempt(package, cache, &step).or_else(|error| {
            // The lists may be missing, or name a version that has left the archive since.
            host::refresh_lists(&step).with_context(|| format!("{error:#}"))?;
            Deb::attempt(package, cache, &step)
        })?;
        step.done(format!("{package} {}, {origin}", deb.version));
        Ok(deb)
    }

    fn attempt(package: &str, cache: &Path, step: &Step) -> Result<(Deb, String)> {
        let offer = Offer::today(package)?;
        let file = cache.join(&offer.sha256).with_extension("deb");
        if file.is_file() && manifest::sha256_of(&file)? == offer.sha256 {
            return Ok((offer.at(file), "from the cache".to_owned()));
        }
        offer.download(&file, step)?;
        let size = human(offer.size);
        Ok((offer.at(file), size))
    }

    /// The package's files, unpacked below the cache once and kept there.
    pub fn unpack(&self, cache: &Path) -> Result<PathBuf> {
        let folder = cache.join(&self.sha256);
        if folder.is_dir() {
            return Ok(folder);
        }
        let step = Step::spinner("unpack");
        step.say(&self.package);
        let partial = cache.join(format!("{}.partial.{}", self.sha256, std::process::id()));
        std::fs::create_dir_all(&partial)?;
        run::quiet(run::program("dpkg-deb")?.arg("-x").arg(&self.file).arg(&partial))?;
        finish(&partial, &folder)?;
        step.done(&self.package);
        Ok(folder)
    }
}

/// What the archive offers under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Offer {
    package: String,
    version: String,
    sha256: String,
    size: u64,
}

impl Offer {
    fn today(package: &str) -> Result<Offer> {
        let text = apt_show(package)?;
        Offer::parse(package, &text)
            .with_context(|| format!("apt-cache says nothing useful about {package}"))
    }

    /// The first paragraph of `apt-cache show` is the version that would be installed.
    fn parse(package: &str, text: &str) -> Option<Offer> {
        Some(Offer {
            package: package.to_owned(),
            version: field(text, "Version")?.to_owned(),
            sha256: field(text, "SHA256").filter(|hash| hash.len() == 64)?.to_owned(),
            size: field(text, "Size")?.parse().ok()?,
        })
    }

    fn download(&self, file: &Path, step: &Step) -> Result<()> {
        let cache = file.parent().context("the cache is a folder")?;
        let partial = cache.join(format!("download.{}", std::process::id()));
        std::fs::create_dir_all(&partial)?;
        let mut command = run::program("apt-get")?;
        command.current_dir(&partial).arg("download").args(APT_STATUS);
        command.arg(format!("{}={}", self.package, self.version));
        let watched = run::watch(&mut command, |line| step.apt(line));
        let outcome = watched.and_then(|()| self.take(&partial, file));
        std::fs::remove_dir_all(&partial)?;
        outcome
    }

    /// Moves the one file that was downloaded to its place, if it is what was promised.
    fn take(&self, partial: &Path, file: &Path) -> Result<()> {
        let mut entries = std::fs::read_dir(partial)?;
        let Some(entry) = entries.next() else { bail!("apt-get downloaded nothing") };
        let path = entry?.path();
        let sha256 = manifest::sha256_of(&path)?;
        ensure!(sha256 == self.sha256, "{} arrived as {sha256}", self.package);
        std::fs::rename(path, file)?;
        Ok(())
    }

    fn at(self, file: PathBuf) -> Deb {
        Deb { package: self.package, version: self.version, sha256: self.sha256, file }
    }
}

/// The kernel image package behind a name: the name itself, or what it depends on when it is a meta
/// package.
pub fn resolve_kernel(package: &str) -> Result<String> {
    let text = match apt_show(package) {
        Ok(text) => text,
        Err(_) => {
            host::refresh_lists(&Step::spinner("package"))?;
            apt_show(package)?
        }
    };
    Ok(kernel_behind(package, &text))
}

fn kernel_behind(package: &str, text: &str) -> String {
    field(text, "Depends")
        .into_iter()
        .flat_map(|depends| depends.split([',', '|']))
        .filter_map(|clause| clause.split_whitespace().next())
        .find(|name| name.starts_with("linux-image-"))
        .unwrap_or(package)
        .to_owned()
}

/// The installed version of a package, for the record.
pub fn installed_version(package: &str) -> Option<String> {
    let mut query = Command::new("dpkg-query");
    query.args(["-W", "-f", "${Version}", package]);
    run::capture(&mut query).ok().filter(|version| !version.is_empty())
}

fn apt_show(package: &str) -> Result<String> {
    let mut command = run::program("apt-cache")?;
    command.args(["show", "--no-all-versions", package]);
    run::capture(&mut command)
}

/// The value of a field in a control paragraph.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let paragraph = text.lines().take_while(|line| !line.is_empty());
    let mut fields = paragraph.filter_map(|line| line.split_once(": "));
    fields.find(|(key, _)| *key == name).map(|(_, value)| value.trim())
}

/// Two builds may unpack the same thing at once: the second finds it done.
fn finish(partial: &Path, folder: &Path) -> Result<()> {
    if let Err(error) = std::fs::rename(partial, folder) {
        if !folder.is_dir() {
            return Err(error).context("cannot move what was unpacked into place");
        }
        std::fs::remove_dir_all(partial)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const META: &str = "Package: linux-image-cloud-amd64\nVersion: 6.1.192-2\nProvides: x\n\
        Depends: linux-image-6.1.0-56-cloud-amd64 (= 6.1.192-2)\nSize: 1504\n\
        SHA256: 00be21c0c17f08ddf26e82d3b53fe7a41efa4a288938da6bb69e89c4b25c281d\n\n\
        Package: linux-image-cloud-amd64\nVersion: 6.1.176-1\n";

    #[test]
    fn a_meta_package_stands_for_the_kernel_it_depends_on() {
        let kernel = kernel_behind("linux-image-cloud-amd64", META);
        assert_eq!(kernel, "linux-image-6.1.0-56-cloud-amd64");
        let image = "Package: linux-image-6.12.1-amd64\nDepends: kmod, linux-base (>= 4.3~)\n";
        assert_eq!(kernel_behind("linux-image-6.12.1-amd64", image), "linux-image-6.12.1-amd64");
    }

    #[test]
    fn the_first_paragraph_is_the_offer() {
        let offer = Offer::parse("linux-image-cloud-amd64", META).unwrap();
        assert_eq!((offer.version.as_str(), offer.size), ("6.1.192-2", 1504));
        assert!(Offer::parse("x", "Version: 1\nSize: 3\n").is_none());
    }
}

//! Kernel modules: which files a board's list comes down to, and in which order they are loaded.
//!
//! Debian's packages carry no `modules.dep` (it is made at installation), so each module's own
//! `.modinfo` is read: `depends=` names what must be there before, `softdep=pre:` what it will ask
//! for by name. On a box there is no modprobe to answer such a question later, so both are loaded
//! beforehand.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use object::{Object, ObjectSection};

use crate::plan::KernelFacts;
use crate::run;

/// A module that goes into the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// As the kernel spells it, with underscores.
    pub name: String,
    /// Below `/lib/modules/RELEASE`, without the ending of a compression: `kernel/fs/fat/fat.ko`.
    pub path: String,
    pub bytes: Vec<u8>,
}

/// The modules of one unpacked kernel package.
#[derive(Debug)]
pub struct Modules {
    folder: PathBuf,
    /// Where each module's file is, below the folder.
    files: BTreeMap<String, PathBuf>,
    builtin: BTreeSet<String>,
}

impl Modules {
    /// Looks at `lib/modules/RELEASE`.
    pub fn open(folder: &Path) -> Result<Modules> {
        let builtin = std::fs::read_to_string(folder.join("modules.builtin"))
            .with_context(|| format!("{} is no kernel's module folder", folder.display()))?;
        let mut files = BTreeMap::new();
        collect(folder, Path::new("kernel"), &mut files)?;
        let builtin = builtin.lines().filter_map(|line| name_of(Path::new(line))).collect();
        Ok(Modules { folder: folder.to_owned(), files, builtin })
    }

    /// The board's modules and all that they need, each behind what it depends on.
    ///
    /// Fails when the kernel has no module of a required name, neither as a file nor built in.
    pub fn pick(&self, facts: &KernelFacts) -> Result<Vec<Module>> {
        let mut order = Order { modules: self, picked: Vec::new(), seen: BTreeSet::new() };
        for name in &facts.modules {
            order.add(name, &mut Vec::new())?;
        }
        for name in &facts.modules_optional {
            if self.knows(&canonical(name)) {
                order.add(name, &mut Vec::new())?;
            }
        }
        Ok(order.picked)
    }

    /// The optional modules that this kernel does not have.
    pub fn lacking(&self, facts: &KernelFacts) -> Vec<String> {
        let optional = facts.modules_optional.iter();
        optional.filter(|name| !self.knows(&canonical(name))).cloned().collect()
    }

    fn knows(&self, name: &str) -> bool {
        self.files.contains_key(name) || self.builtin.contains(name)
    }

    fn read(&self, name: &str) -> Result<Module> {
        let Some(file) = self.files.get(name) else {
            bail!("the kernel package has no module {name}");
        };
        let full = self.folder.join(file);
        let path = file.to_string_lossy();
        let (path, bytes) = match path.strip_suffix(".xz") {
            None => (path.as_ref(), std::fs::read(&full)?),
            Some(plain) => (plain, run::bytes(run::program("xz")?.arg("-dc").arg(&full))?),
        };
        Ok(Module { name: name.to_owned(), path: path.to_owned(), bytes })
    }
}

/// A depth-first walk: what a module needs is picked before it.
struct Order<'a> {
    modules: &'a Modules,
    picked: Vec<Module>,
    seen: BTreeSet<String>,
}

impl Order<'_> {
    /// `above` is the chain of modules that led here: a circle in it is an error.
    fn add(&mut self, name: &str, above: &mut Vec<String>) -> Result<()> {
        let name = canonical(name);
        if above.contains(&name) {
            bail!(
                "kernel modules depend on each other in a circle: {} → {name}",
                above.join(" → ")
            );
        }
        if self.modules.builtin.contains(&name) || !self.seen.insert(name.clone()) {
            return Ok(());
        }
        let module = self.modules.read(&name)?;
        let wants = Wants::of(&module.bytes)
            .with_context(|| format!("{} is not a kernel module", module.path))?;
        above.push(name);
        for depended in &wants.hard {
            self.add(depended, above)
                .with_context(|| format!("module {} depends on {depended}", module.name))?;
        }
        for asked in &wants.soft {
            // Soft needs may name an alias that only an installed system can resolve; a board lists
            // those itself.
            if self.modules.knows(&canonical(asked)) {
                self.add(asked, above)?;
            }
        }
        above.pop();
        self.picked.push(module);
        Ok(())
    }
}

/// What a module's `.modinfo` says must be loaded before it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wants {
    hard: Vec<String>,
    soft: Vec<String>,
}

impl Wants {
    fn of(module: &[u8]) -> Result<Wants> {
        let file = object::File::parse(module)?;
        let section = file.section_by_name(".modinfo").context("it has no .modinfo")?;
        Ok(Wants::parse(section.data()?))
    }

    /// The section is `key=value` strings with zero bytes between them.
    fn parse(modinfo: &[u8]) -> Wants {
        let mut wants = Wants::default();
        for entry in modinfo.split(|&byte| byte == 0) {
            let entry = String::from_utf8_lossy(entry);
            if let Some(depends) = entry.strip_prefix("depends=") {
                wants
                    .hard
                    .extend(depends.split(',').filter(|name| !name.is_empty()).map(canonical));
            } else if let Some(softdep) = entry.strip_prefix("softdep=") {
                wants.soft.extend(before(softdep).map(canonical));
            }
        }
        wants
    }
}

/// The names behind `pre:`, up to `post:`.
fn before(softdep: &str) -> impl Iterator<Item = &str> {
    let pre = softdep.split_once("pre:").map_or("", |(_, names)| names);
    let pre = pre.split_once("post:").map_or(pre, |(names, _)| names);
    pre.split_whitespace()
}

/// File names and lists mix `-` and `_`; the kernel itself says `_`.
fn canonical(name: &str) -> String {
    name.replace('-', "_")
}

/// The module's name, when the path is one of a module.
fn name_of(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let stem = name.strip_suffix(".xz").unwrap_or(name).strip_suffix(".ko")?;
    Some(canonical(stem))
}

fn collect(root: &Path, below: &Path, files: &mut BTreeMap<String, PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(root.join(below))? {
        let entry = entry?;
        let path = below.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            collect(root, &path, files)?;
        } else if let Some(name) = name_of(&path) {
            files.insert(name, path);
        }
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The smallest ELF relocatable with a `.modinfo`.
    pub(crate) fn fake_module(modinfo: &str) -> Vec<u8> {
        let names = b"\0.modinfo\0.shstrtab\0";
        let modinfo_at = 64_u64;
        let names_at = modinfo_at + modinfo.len() as u64;
        let sections_at = (names_at + names.len() as u64).next_multiple_of(8);
        let mut bytes = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
        bytes.extend([1_u16, 62].iter().flat_map(|half| half.to_le_bytes()));
        bytes.extend(1_u32.to_le_bytes());
        bytes.extend([0, 0, sections_at].iter().flat_map(|word: &u64| word.to_le_bytes()));
        bytes.extend(0_u32.to_le_bytes());
        bytes.extend([64_u16, 0, 0, 64, 3, 2].iter().flat_map(|half| half.to_le_bytes()));
        bytes.extend(modinfo.as_bytes());
        bytes.extend(names);
        bytes.resize(sections_at as usize, 0);
        let mut section = |name: u32, kind: u32, at: u64, size: u64| {
            bytes.extend([name, kind].iter().flat_map(|word| word.to_le_bytes()));
            bytes.extend([0, 0, at, size].iter().flat_map(|word| word.to_le_bytes()));
            bytes.extend([0_u32, 0].iter().flat_map(|word| word.to_le_bytes()));
            bytes.extend([1_u64, 0].iter().flat_map(|word| word.to_le_bytes()));
        };
        section(0, 0, 0, 0);
        section(1, 1, modinfo_at, modinfo.len() as u64);
        section(10, 3, names_at, names.len() as u64);
        bytes
    }

    /// A module folder with these files and their `.modinfo`.
    pub(crate) fn fake_modules(root: &Path, files: &[(&str, &str)]) {
        for (path, modinfo) in files {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, fake_module(&modinfo.replace(' ', "\0").replace('~', " ")))
                .unwrap();
        }
        std::fs::write(root.join("modules.builtin"), "kernel/crypto/crc32c_generic.ko\n").unwrap();
    }

    fn order(files: &[(&str, &str)], modules: &[&str], optional: &[&str]) -> Result<Vec<String>> {
        let folder = tempfile::tempdir().unwrap();
        fake_modules(folder.path(), files);
        let facts = KernelFacts {
            package: String::new(),
            modules: modules.iter().map(|name| (*name).to_owned()).collect(),
            modules_optional: optional.iter().map(|name| (*name).to_owned()).collect(),
        };
        let picked = Modules::open(folder.path())?.pick(&facts)?;
        Ok(picked.into_iter().map(|module| module.name).collect())
    }

    #[test]
    fn what_a_module_needs_is_loaded_before_it() {
        let files = [
            ("kernel/drivers/net/virtio_net.ko", "name=virtio_net depends=virtio,net-failover "),
            ("kernel/drivers/virtio/virtio.ko", "depends= "),
            ("kernel/net/net-failover.ko", "depends=failover "),
            ("kernel/net/failover.ko", "depends= "),
            ("kernel/fs/ext4.ko", "depends=mbcache softdep=pre:~crc32c_generic~jbd2~post:~late "),
            ("kernel/fs/mbcache.ko", "license=GPL "),
            ("kernel/fs/jbd2.ko", "depends= "),
            ("kernel/fs/late.ko", "depends= "),
            ("kernel/fs/other.ko", "depends= "),
        ];
        assert_eq!(
            order(&files, &["virtio-net", "ext4", "virtio"], &["missing", "late"]).unwrap(),
            ["virtio", "failover", "net_failover", "virtio_net", "mbcache", "jbd2", "ext4", "late"]
        );
    }

    #[test]
    fn built_in_counts_as_there_and_missing_is_an_error() {
        assert!(order(&[("kernel/a.ko", "")], &["crc32c-generic"], &[]).unwrap().is_empty());
        let error = order(&[("kernel/a.ko", "depends=b ")], &["a"], &[]).unwrap_err();
        assert!(format!("{error:#}").contains("no module b"), "{error:#}");
    }

    #[test]
    fn a_circle_is_an_error_and_not_a_hang() {
        let files = [("kernel/a.ko", "depends=b "), ("kernel/b.ko", "depends=a ")];
        let error = order(&files, &["a"], &[]).unwrap_err();
        assert!(format!("{error:#}").contains("circle"), "{error:#}");
    }

    #[test]
    fn names_come_from_plain_and_compressed_files() {
        assert_eq!(name_of(Path::new("kernel/a-b.ko")), Some("a_b".to_owned()));
        assert_eq!(name_of(Path::new("kernel/a_b.ko.xz")), Some("a_b".to_owned()));
        assert_eq!(name_of(Path::new("modules.order")), None);
    }
}

//! `twinpost build`: the steps in their order, from a plan to an image.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::compile::{self, Programs};
use crate::disk::{self, Contents};
use crate::host::{self, Purpose};
use crate::initramfs;
use crate::kernel::{self, Kernel};
use crate::manifest::{self, Entry, Manifest};
pub use crate::plan::BuildOptions;
use crate::plan::Plan;
use crate::progress::{Step, human};
use crate::uki::{self, Parts};

/// What a build leaves behind.
#[derive(Debug, Clone)]
pub struct Built {
    /// The disk image, sparse.
    pub image: PathBuf,
    /// Its size, holes included.
    pub bytes: u64,
    /// The kernel, the initramfs and the command line by themselves: QEMU can start them without a
    /// loader.
    pub kernel: PathBuf,
    pub initramfs: PathBuf,
    pub cmdline: String,
    /// The unified kernel image by itself.
    pub uki: PathBuf,
    pub manifest: PathBuf,
}

/// Builds an image.
pub fn build(options: &BuildOptions) -> Result<Built> {
    host::check_for(Purpose::Build)?;
    let plan = Plan::new(options)?;
    eprintln!("twinpost {} for {}", plan.version, plan.board.name);
    let programs = match &options.programs {
        Some(folder) => Programs::in_folder(folder),
        None => compile::compile(&plan)?,
    };
    let kernel = kernel::prepare(&plan)?;
    assemble(&plan, &programs, &kernel, &Loader::installed()?)
}

/// The two files of systemd that start an image.
#[derive(Debug, Clone)]
pub struct Loader {
    pub boot: Vec<u8>,
    pub stub: Vec<u8>,
}

impl Loader {
    /// As Debian's package has put them on this machine.
    pub fn installed() -> Result<Loader> {
        let read = |path: &str| std::fs::read(path).with_context(|| format!("cannot read {path}"));
        Ok(Loader { boot: read(host::SYSTEMD_BOOT)?, stub: read(host::UKI_STUB)? })
    }
}

/// The steps after everything is at hand: no network and no compiler from here on.
pub fn assemble(
    plan: &Plan,
    programs: &Programs,
    kernel: &Kernel,
    loader: &Loader,
) -> Result<Built> {
    std::fs::create_dir_all(plan.out.parent().context("the image needs a folder")?)?;
    let tree = initramfs::tree(plan, programs, kernel)?;
    let packed = initramfs::pack(&tree, plan.build_time)?;
    let parts = Parts {
        os_release: &os_release(plan),
        cmdline: &plan.board.boot.cmdline,
        uname: &kernel.release,
        initramfs: &packed,
        vmlinuz: &kernel.vmlinuz,
    };
    let uki = uki::assemble(&loader.stub, &parts)?;
    let mut manifest = Manifest::new(plan, kernel, &tree);
    let step = Step::spinner("disk");
    let contents = contents(plan, loader, &uki, &mut manifest)?;
    disk::write(&plan.out, &contents)?;
    let built = Built {
        image: plan.out.clone(),
        bytes: std::fs::metadata(&plan.out)?.len(),
        kernel: leave(plan, "vmlinuz", &kernel.vmlinuz)?,
        initramfs: leave(plan, "initramfs", &packed)?,
        cmdline: plan.board.boot.cmdline.clone(),
        uki: leave(plan, "efi", &uki)?,
        manifest: plan.beside("manifest.json"),
    };
    manifest.image = Some(Entry {
        path: file_name(&plan.out),
        bytes: built.bytes,
        sha256: manifest::sha256_of(&plan.out)?,
    });
    leave(plan, "manifest.json", &manifest.to_json()?)?;
    step.done(format!("{}, of it used {}", human(built.bytes), human(used(&plan.out)?)));
    eprintln!("{}", plan.out.display());
    Ok(built)
}

/// The ESP's files. The manifest inside lists the others, and leaves the site file out: it holds
/// secrets, and the image is the same image without it.
fn contents(plan: &Plan, loader: &Loader, uki: &[u8], manifest: &mut Manifest) -> Result<Contents> {
    let mut esp = BTreeMap::from([
        ("EFI/BOOT/BOOTX64.EFI".to_owned(), loader.boot.clone()),
        (format!("EFI/Linux/twinpost_{}.efi", plan.version), uki.to_vec()),
        ("loader/loader.conf".to_owned(), LOADER_CONF.as_bytes().to_vec()),
    ]);
    manifest.esp = esp.iter().map(|(path, bytes)| Entry::of(path, bytes)).collect();
    esp.insert(disk::MANIFEST_FILE.to_owned(), manifest.to_json()?);
    if let Some(site) = &plan.site {
        esp.insert(disk::SITE_FILE.to_owned(), site.text.as_bytes().to_vec());
    }
    Ok(Contents {
        esp_mib: plan.board.disk.esp_mib,
        data_mib: plan.board.disk.data_mib,
        esp,
        build_time: plan.build_time,
    })
}

/// No menu and no editing of the command line. Never a `default`: it would override the counting of
/// failed starts.
const LOADER_CONF: &str = "timeout 0\neditor no\nconsole-mode keep\n";

fn os_release(plan: &Plan) -> String {
    let (version, board) = (&plan.version, &plan.board.name);
    format!(
        "ID=twinpost\nNAME=twinpost\nPRETTY_NAME=\"twinpost {version}\"\nVERSION_ID={version}\n\
         VARIANT_ID={board}\nBUILD_ID={}\n",
        plan.commit.as_deref().unwrap_or("unknown")
    )
}

/// Writes a file beside the image, whole or not at all.
fn leave(plan: &Plan, ending: &str, bytes: &[u8]) -> Result<PathBuf> {
    let path = plan.beside(ending);
    let folder = path.parent().context("the image has a folder")?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    std::io::Write::write_all(&mut file, bytes)?;
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    file.as_file().set_permissions(mode)?;
    file.persist(&path)?;
    Ok(path)
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Bytes that the file really takes.
fn used(path: &Path) -> Result<u64> {
    use std::os::unix::fs::MetadataExt;
    Ok(std::fs::metadata(path)?.blocks() * 512)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deb::Deb;
    use crate::inspect::Inspection;
    use crate::plan::{Board, BootFacts, DiskFacts, KernelFacts};
    use crate::site::{self, SiteFile};
    use crate::{modules, run};

    const SITE: &str = "side = \"b\"\nhostname = \"mail-b\"\ndomain = \"example.test\"\n\
        pair_token = \"a long enough token\"\n[lan]\naddress = \"10.77.0.12/24\"\n\
        peer = \"10.77.0.11\"\n[service]\na = \"10.77.0.1/24\"\nb = \"10.77.0.2/24\"\n";

    /// A plan, programs, a kernel and a loader, all of a few bytes, below a folder.
    fn fixture(folder: &Path) -> (Plan, Programs, Kernel, Loader) {
        let facts = KernelFacts {
            package: "linux-image-test".into(),
            modules: vec!["vfat".into()],
            modules_optional: vec!["softdog".into()],
        };
        let files = folder.join("unpacked");
        modules::tests::fake_modules(
            &files.join("lib/modules/6.1-test"),
            &[("kernel/fs/vfat.ko", "depends=fat "), ("kernel/fs/fat.ko", "depends= ")],
        );
        std::fs::create_dir_all(files.join("boot")).unwrap();
        let vmlinuz = uki::tests::fake_program(0x2_0000, 0x200);
        std::fs::write(files.join("boot/vmlinuz-6.1-test"), vmlinuz).unwrap();
        let deb = Deb {
            package: "linux-image-6.1-test".into(),
            version: "6.1-1".into(),
            sha256: "00".into(),
            file: PathBuf::new(),
        };
        let kernel = Kernel::read(deb, &files, &facts).unwrap();
        for name in ["init", "maild", "console"] {
            std::fs::write(folder.join(name), format!("the program {name}")).unwrap();
        }
        let plan = Plan {
            board: Board {
                name: "test".into(),
                description: String::new(),
                kernel: facts,
                boot: BootFacts { cmdline: "console=ttyS0".into() },
                disk: DiskFacts { esp_mib: 130, data_mib: 64 },
            },
            tree: folder.to_owned(),
            out: folder.join("out/test.img"),
            site: None,
            kernel_deb: None,
            version: "0.1.0".into(),
            commit: Some("0123456789ab".into()),
            build_time: 1_700_000_000,
        };
        let program = uki::tests::fake_program(0, 0x400);
        let loader = Loader { boot: program.clone(), stub: program };
        (plan, Programs::in_folder(folder), kernel, loader)
    }

    fn build_in(folder: &Path) -> Built {
        let (plan, programs, kernel, loader) = fixture(folder);
        assemble(&plan, &programs, &kernel, &loader).unwrap()
    }

    fn tools_are_here() -> bool {
        ["mformat", "mke2fs"].iter().all(|name| run::find_program(name).is_some())
    }

    #[test]
    fn an_image_tells_what_was_put_into_it() {
        if !tools_are_here() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let built = build_in(folder.path());
        let inspection = Inspection::of(&built.image).unwrap();
        let uki = &inspection.ukis[0];
        assert_eq!(uki.path, "EFI/Linux/twinpost_0.1.0.efi");
        assert_eq!((uki.cmdline.as_str(), uki.kernel.as_str()), ("console=ttyS0", "6.1-test"));
        assert!(uki.os_release.contains("VERSION_ID=0.1.0\n"));
        assert_eq!(
            uki.modules,
            ["/lib/modules/6.1-test/kernel/fs/fat.ko", "/lib/modules/6.1-test/kernel/fs/vfat.ko"]
        );
        let files: Vec<&str> = uki
            .initramfs
            .iter()
            .filter(|(_, bytes, _)| *bytes > 0)
            .map(|(name, _, _)| name.as_str())
            .collect();
        assert_eq!(
            files,
            [
                "etc/twinpost/board",
                "etc/twinpost/build-time",
                "etc/twinpost/modules.list",
                "etc/twinpost/version",
                "init",
                "lib/modules/6.1-test/kernel/fs/fat.ko",
                "lib/modules/6.1-test/kernel/fs/vfat.ko",
                "sbin/console",
                "sbin/maild",
            ]
        );
        let inside = inspection.manifest.clone().unwrap();
        let beside = Manifest::from_json(&std::fs::read(&built.manifest).unwrap()).unwrap();
        assert_eq!(
            beside.image.as_ref().unwrap().sha256,
            manifest::sha256_of(&built.image).unwrap()
        );
        assert_eq!(Manifest { image: None, ..beside }, inside);
        assert!(inspection.altered.is_empty());
        assert!(inspection.report().contains("every file of the ESP is as it was built"));
    }

    #[test]
    fn two_builds_of_the_same_inputs_are_the_same_bytes() {
        if !tools_are_here() {
            return;
        }
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (one, two) = (build_in(one.path()), build_in(two.path()));
        for (one, two) in [
            (&one.image, &two.image),
            (&one.initramfs, &two.initramfs),
            (&one.uki, &two.uki),
            (&one.manifest, &two.manifest),
        ] {
            assert!(
                std::fs::read(one).unwrap() == std::fs::read(two).unwrap(),
                "{}",
                one.display()
            );
        }
    }

    #[test]
    fn a_copy_becomes_one_box_by_its_site_file_and_nothing_else_changes() {
        if !tools_are_here() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let built = build_in(folder.path());
        let site = SiteFile::parse(SITE).unwrap();
        site::put(&built.image, &site).unwrap();
        site::put(&built.image, &site).unwrap();
        let esp = disk::find(&disk::extents(&built.image).unwrap(), disk::ESP_NAME).unwrap();
        let inside = disk::read_from_esp(&built.image, &esp, disk::SITE_FILE).unwrap();
        assert_eq!(inside, SITE.as_bytes());
        assert!(Inspection::of(&built.image).unwrap().altered.is_empty());

        // The same as an image that was built with the site file from the start.
        let other = tempfile::tempdir().unwrap();
        let (mut plan, programs, kernel, loader) = fixture(other.path());
        plan.site = Some(site);
        let with_site = assemble(&plan, &programs, &kernel, &loader).unwrap();
        let esp = disk::find(&disk::extents(&with_site.image).unwrap(), disk::ESP_NAME).unwrap();
        let inside = disk::read_from_esp(&with_site.image, &esp, disk::SITE_FILE).unwrap();
        assert_eq!(inside, SITE.as_bytes());
    }

    #[test]
    fn a_file_changed_behind_the_manifest_is_noticed() {
        if !tools_are_here() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let built = build_in(folder.path());
        let esp = disk::find(&disk::extents(&built.image).unwrap(), disk::ESP_NAME).unwrap();
        let conf = folder.path().join("loader.conf");
        std::fs::write(&conf, "default other\n").unwrap();
        disk::put_in_esp(&built.image, &esp, "loader/loader.conf", &conf, 1_700_000_000).unwrap();
        let inspection = Inspection::of(&built.image).unwrap();
        assert_eq!(inspection.altered, ["loader/loader.conf"]);
    }
}

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
    /// The kernel, the initramfs and the command line by themselves: QEMU can start them without a loader.
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

/// The ESP's files. The manifest inside lists the others, and leaves the site file out: it holds secrets, and the
/// image is the same image without it.
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

/// No menu and no editing of the command line. Never a `default`: it would override the counting of failed starts.
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

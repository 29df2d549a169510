//! Step 5, the unified kernel image: kernel, initramfs and command line as sections of one UEFI
//! program.
//!
//! systemd's stub is the program; at start it finds the other sections in itself. They are appended
//! here by hand: the usual tool for it writes the time of day into the file, and the sections need
//! placing that it leaves to the caller.

use anyhow::{Context, Result, bail, ensure};
use object::read::pe::PeFile64;
use object::{Object, ObjectSection};

/// What a UKI is made of.
#[derive(Debug, Clone, Copy)]
pub struct Parts<'a> {
    /// An os-release text. systemd-boot orders the images on a disk by its `VERSION_ID`.
    pub os_release: &'a str,
    pub cmdline: &'a str,
    /// The kernel's release.
    pub uname: &'a str,
    pub initramfs: &'a [u8],
    pub vmlinuz: &'a [u8],
}

/// One section of a UKI that was read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    pub name: String,
    pub bytes: Vec<u8>,
}

/// Appends the parts to the stub.
pub fn assemble(stub: &[u8], parts: &Parts<'_>) -> Result<Vec<u8>> {
    let kernel = Headers::find(parts.vmlinuz).context("the kernel is no UEFI program")?;
    let kernel_in_memory = kernel.u32(parts.vmlinuz, kernel.optional + SIZE_OF_IMAGE)?;
    let sections = [
        New::data(b".osrel\0\0", parts.os_release.as_bytes()),
        New::data(b".cmdline", parts.cmdline.as_bytes()),
        New::data(b".uname\0\0", parts.uname.as_bytes()),
        New::data(b".initrd\0", parts.initramfs),
        // The stub starts the kernel in place, so it comes last and has room for what it unfolds
        // to.
        New {
            name: b".linux\0\0",
            bytes: parts.vmlinuz,
            memory: kernel_in_memory.max(size(parts.vmlinuz.len())?),
            flags: CODE | READ | EXECUTE,
        },
    ];
    append(stub, &sections).context("cannot append to the stub of systemd")
}

/// Every section of a UKI, each cut to the length that was put in.
pub fn read(uki: &[u8]) -> Result<Vec<Section>> {
    let file = PeFile64::parse(uki).context("not a UEFI program")?;
    file.sections()
        .map(|section| {
            let stored = section.data()?;
            let length = usize::try_from(section.size())?.min(stored.len());
            Ok(Section { name: section.name()?.to_owned(), bytes: stored[..length].to_vec() })
        })
        .collect()
}

/// A section to append.
struct New<'a> {
    name: &'static [u8; 8],
    bytes: &'a [u8],
    /// Bytes in memory; never fewer than there are.
    memory: u32,
    flags: u32,
}

impl<'a> New<'a> {
    fn data(name: &'static [u8; 8], bytes: &'a [u8]) -> New<'a> {
        // A length over 4 GiB is refused when the section is placed.
        let memory = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        New { name, bytes, memory, flags: INITIALIZED_DATA | READ }
    }
}

fn append(stub: &[u8], sections: &[New<'_>]) -> Result<Vec<u8>> {
    let headers = Headers::find(stub)?;
    let section_alignment = headers.u32(stub, headers.optional + SECTION_ALIGNMENT)?.max(PAGE);
    let file_alignment = headers.u32(stub, headers.optional + FILE_ALIGNMENT)?;
    ensure!(file_alignment.is_power_of_two(), "a file alignment of {file_alignment}");
    ensure!(section_alignment.is_power_of_two(), "a section alignment of {section_alignment}");
    let mut out = with_room(stub, &headers, sections.len(), file_alignment)?;
    let mut address = headers.end_of_sections(stub)?;
    let (mut code, mut data) = (0, 0);
    for (slot, section) in (headers.count..).zip(sections) {
        address = address.next_multiple_of(section_alignment);
        let stored = size(section.bytes.len())?.next_multiple_of(file_alignment);
        let at = size(out.len())?;
        out.extend_from_slice(section.bytes);
        out.resize((at + stored) as usize, 0);
        let entry = headers.table + slot * SECTION_HEADER;
        out[entry..entry + 8].copy_from_slice(section.name);
        for (field, value) in
            [section.memory, address, stored, at, 0, 0, 0, section.flags].into_iter().enumerate()
        {
            put(&mut out, entry + 8 + field * 4, value);
        }
        let total = if section.flags & CODE != 0 { &mut code } else { &mut data };
        *total += stored;
        address = address.checked_add(section.memory).context("more than 4 GiB")?;
    }
    let count = headers.count + sections.len();
    out[headers.pe + 6..headers.pe + 8].copy_from_slice(&u16::try_from(count)?.to_le_bytes());
    add(&mut out, headers.optional + SIZE_OF_CODE, code);
    add(&mut out, headers.optional + SIZE_OF_DATA, data);
    put(&mut out, headers.optional + SIZE_OF_IMAGE, address.next_multiple_of(section_alignment));
    put(&mut out, headers.optional + CHECKSUM, 0);
    Ok(out)
}

/// The stub without its symbol table and signature, its headers grown to hold `more` section
/// headers, padded to the file alignment.
fn with_room(stub: &[u8], headers: &Headers, more: usize, alignment: u32) -> Result<Vec<u8>> {
    let old = headers.u32(stub, headers.optional + SIZE_OF_HEADERS)?;
    let needed = headers.table + (headers.count + more) * SECTION_HEADER;
    let new = size(needed)?.next_multiple_of(alignment).max(old);
    ensure!(new <= headers.start_of_sections(stub)?, "no room for {more} more section headers");
    let shift = new - old;
    let mut out = stub.get(..old as usize).context("shorter than its headers")?.to_vec();
    out.resize(new as usize, 0);
    let mut end = old;
    for entry in headers.entries() {
        let (stored, at) = (headers.u32(stub, entry + 16)?, headers.u32(stub, entry + 20)?);
        if stored > 0 {
            put(&mut out, entry + 20, at + shift);
            end = end.max(at.saturating_add(stored));
        }
    }
    let body = stub.get(old as usize..end as usize).context("shorter than its sections")?;
    out.extend_from_slice(body);
    out.resize(out.len().next_multiple_of(alignment as usize), 0);
    put(&mut out, headers.pe + SYMBOL_TABLE, 0);
    put(&mut out, headers.pe + SYMBOL_COUNT, 0);
    put(&mut out, headers.optional + SIZE_OF_HEADERS, new);
    let directories = headers.u32(stub, headers.optional + DIRECTORY_COUNT)?;
    if directories > SIGNATURE_DIRECTORY {
        let at = headers.optional + DIRECTORIES + SIGNATURE_DIRECTORY as usize * 8;
        put(&mut out, at, 0);
        put(&mut out, at + 4, 0);
    }
    Ok(out)
}

/// Where the parts of a PE file's headers are.
struct Headers {
    pe: usize,
    optional: usize,
    /// The section headers.
    table: usize,
    count: usize,
}

impl Headers {
    fn find(file: &[u8]) -> Result<Headers> {
        ensure!(file.starts_with(b"MZ"), "it does not begin with MZ");
        let mut headers = Headers { pe: 0, optional: 0, table: 0, count: 0 };
        headers.pe = headers.u32(file, 0x3c)? as usize;
        ensure!(file.get(headers.pe..headers.pe + 4) == Some(b"PE\0\0"), "it has no PE header");
        headers.optional = headers.pe + 24;
        let kind = headers.u16(file, headers.optional)?;
        if kind != PE32_PLUS {
            bail!("expected a 64-bit PE file (0x20b), got {kind:#x}");
        }
        headers.count = headers.u16(file, headers.pe + 6)?.into();
        headers.table = headers.optional + usize::from(headers.u16(file, headers.pe + 20)?);
        headers.u32(file, headers.table + headers.count * SECTION_HEADER - 4)?;
        Ok(headers)
    }

    /// Where each section's header begins.
    fn entries(&self) -> impl Iterator<Item = usize> {
        let table = self.table;
        (0..self.count).map(move |slot| table + slot * SECTION_HEADER)
    }

    /// The lowest address of a section: headers may not reach it.
    fn start_of_sections(&self, file: &[u8]) -> Result<u32> {
        let addresses = self.entries().map(|entry| self.u32(file, entry + 12));
        addresses.collect::<Result<Vec<u32>>>()?.into_iter().min().context("it has no sections")
    }

    /// The first address behind all sections.
    fn end_of_sections(&self, file: &[u8]) -> Result<u32> {
        let mut end = 0;
        for entry in self.entries() {
            let (memory, address) = (self.u32(file, entry + 8)?, self.u32(file, entry + 12)?);
            end = end.max(address.checked_add(memory).context("a section beyond 4 GiB")?);
        }
        Ok(end)
    }

    fn u16(&self, file: &[u8], at: usize) -> Result<u16> {
        let bytes = file.get(at..at + 2).context("it ends within its headers")?;
        Ok(u16::from_le_bytes([bytes[0], bytes[1]]))
    }

    fn u32(&self, file: &[u8], at: usize) -> Result<u32> {
        let bytes = file.get(at..at + 4).context("it ends within its headers")?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }
}

/// Writes a word into headers whose length has been checked.
fn put(file: &mut [u8], at: usize, value: u32) {
    file[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

fn add(file: &mut [u8], at: usize, more: u32) {
    let old = u32::from_le_bytes([file[at], file[at + 1], file[at + 2], file[at + 3]]);
    put(file, at, old.wrapping_add(more));
}

fn size(bytes: usize) -> Result<u32> {
    u32::try_from(bytes).ok().filter(|&size| size < 1 << 30).context("a part of over 1 GiB")
}

// PE format, "Optional Header (Image Only)": offsets into it.
const SIZE_OF_CODE: usize = 4;
const SIZE_OF_DATA: usize = 8;
const SECTION_ALIGNMENT: usize = 32;
const FILE_ALIGNMENT: usize = 36;
const SIZE_OF_IMAGE: usize = 56;
const SIZE_OF_HEADERS: usize = 60;
const CHECKSUM: usize = 64;
const DIRECTORY_COUNT: usize = 108;
const DIRECTORIES: usize = 112;
/// Which of the directories holds a signature, whose place in the file is lost here.
const SIGNATURE_DIRECTORY: u32 = 4;
/// Offsets into the PE header itself.
const SYMBOL_TABLE: usize = 12;
const SYMBOL_COUNT: usize = 16;
const PE32_PLUS: u16 = 0x20b;
/// Bytes of one section header.
const SECTION_HEADER: usize = 40;
/// Section flags.
const CODE: u32 = 0x20;
const INITIALIZED_DATA: u32 = 0x40;
const EXECUTE: u32 = 0x2000_0000;
const READ: u32 = 0x4000_0000;
/// Sections begin on pages of their own, whatever smaller alignment a stub names.
const PAGE: u32 = 4096;

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A PE file of two sections that says how much memory it takes, with `room` bytes of headers.
    pub(crate) fn fake_program(memory: u32, room: u32) -> Vec<u8> {
        let mut file = vec![0; room as usize + 0x400];
        file[..2].copy_from_slice(b"MZ");
        put(&mut file, 0x3c, 0x40);
        file[0x40..0x44].copy_from_slice(b"PE\0\0");
        put(&mut file, 0x44, 0x8664 | 2 << 16);
        put(&mut file, 0x40 + SYMBOL_TABLE, room + 0x400);
        put(&mut file, 0x40 + SYMBOL_COUNT, 3);
        put(&mut file, 0x54, 240 | 0x206 << 16);
        put(&mut file, 0x58, u32::from(PE32_PLUS));
        put(&mut file, 0x58 + SECTION_ALIGNMENT, 0x1000);
        put(&mut file, 0x58 + FILE_ALIGNMENT, 0x200);
        put(&mut file, 0x58 + SIZE_OF_IMAGE, memory);
        put(&mut file, 0x58 + SIZE_OF_HEADERS, room);
        put(&mut file, 0x58 + DIRECTORY_COUNT, 16);
        for (slot, name) in [b".text\0\0\0", b".sbat\0\0\0"].into_iter().enumerate() {
            let entry = 0x58 + 240 + slot * SECTION_HEADER;
            let stored_at = room + slot as u32 * 0x200;
            file[entry..entry + 8].copy_from_slice(name);
            put(&mut file, entry + 8, 5);
            put(&mut file, entry + 12, 0x1000 * (slot as u32 + 1));
            put(&mut file, entry + 16, 0x200);
            put(&mut file, entry + 20, stored_at);
            put(&mut file, entry + 36, INITIALIZED_DATA | READ);
            let text = if slot == 0 { b"code!" } else { b"sbat!" };
            file[stored_at as usize..stored_at as usize + 5].copy_from_slice(text);
        }
        file.extend(b"symbols");
        file
    }

    fn parts(kernel: &[u8]) -> Parts<'_> {
        Parts {
            os_release: "VERSION_ID=1\n",
            cmdline: "quiet",
            uname: "6.1.0-1",
            initramfs: b"initramfs",
            vmlinuz: kernel,
        }
    }

    fn check(stub: &[u8]) {
        let kernel = fake_program(0x9_1234, 0x200);
        let uki = assemble(stub, &parts(&kernel)).unwrap();
        let sections = read(&uki).unwrap();
        let text = |name: &str| {
            let section = sections.iter().find(|section| section.name == name).unwrap();
            String::from_utf8_lossy(&section.bytes).into_owned()
        };
        assert_eq!(text(".osrel"), "VERSION_ID=1\n");
        assert_eq!(text(".cmdline"), "quiet");
        assert_eq!(text(".uname"), "6.1.0-1");
        assert_eq!(text(".initrd"), "initramfs");
        let linux = sections.last().unwrap();
        assert_eq!(linux.name, ".linux");
        assert!(linux.bytes.starts_with(&kernel));

        // Nothing overlaps, in memory or in the file, and the whole is as large as it says.
        let headers = Headers::find(&uki).unwrap();
        let word = |at| headers.u32(&uki, at).unwrap();
        let mut memory = word(headers.optional + SIZE_OF_HEADERS);
        let mut stored = memory;
        for entry in headers.entries() {
            assert!(word(entry + 12) >= memory && word(entry + 20) >= stored);
            memory = word(entry + 12) + word(entry + 8);
            stored = word(entry + 20) + word(entry + 16);
        }
        assert_eq!(stored as usize, uki.len());
        assert_eq!(word(headers.optional + SIZE_OF_IMAGE), memory.next_multiple_of(PAGE));
        let last = headers.table + (headers.count - 1) * SECTION_HEADER;
        assert!(word(last + 8) >= 0x9_1234, "the kernel has room to unfold");
        assert_eq!(word(headers.pe + SYMBOL_COUNT), 0);
    }

    #[test]
    fn what_goes_in_comes_out() {
        check(&fake_program(0, 0x400));
    }

    #[test]
    fn headers_without_a_free_slot_are_grown() {
        let stub = fake_program(0, 0x200);
        check(&stub);
        let uki = assemble(&stub, &parts(&fake_program(0, 0x200))).unwrap();
        let sections = read(&uki).unwrap();
        assert_eq!(
            (&sections[0].bytes[..5], &sections[1].bytes[..5]),
            (&b"code!"[..], &b"sbat!"[..])
        );
    }

    #[test]
    fn the_stub_of_this_machine_takes_the_parts() {
        if let Ok(stub) = std::fs::read(crate::host::UKI_STUB) {
            check(&stub);
        }
    }

    #[test]
    fn the_same_parts_give_the_same_bytes() {
        let (stub, kernel) = (fake_program(0, 0x400), fake_program(0x5000, 0x200));
        let first = assemble(&stub, &parts(&kernel)).unwrap();
        assert_eq!(first, assemble(&stub, &parts(&kernel)).unwrap());
    }

    #[test]
    fn what_is_no_program_is_refused() {
        let kernel = fake_program(0, 0x200);
        for stub in [&b""[..], b"MZ", &kernel[..0x100], &[b"MZ", &[0xff; 100][..]].concat()] {
            assert!(assemble(stub, &parts(&kernel)).is_err());
        }
        assert!(assemble(&kernel, &parts(b"a kernel")).is_err());
    }
}

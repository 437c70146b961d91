//! The file of a backup: the compressed database, followed by its description.
//!
//! ```text
//! Zstandard frame     the database
//! skippable frame     JSON, SHA-256 of the JSON (32 bytes), length of the JSON (4 bytes), MARK
//! ```
//!
//! Zstandard's own tool skips the second frame, so that `zstd -d` restores the database as well. The
//! description is at the end, so that a file that was cut short has none. Its checksum covers the
//! first frame, and its own the description: a change of any byte is noticed.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read, Seek as _, SeekFrom, Write},
};

use anyhow::{Context as _, bail, ensure};
use octopoid_domain::Millis;
use octopoid_store_sqlite::snapshot::StopFlag;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The version of the format that this program writes, and the newest that it reads.
const FORMAT: u32 = 1;
/// The last bytes of a backup.
const MARK: &[u8; 8] = b"octobkp1";
/// The first bytes of a skippable frame, which are followed by its length.
const SKIPPABLE: [u8; 4] = 0x184D_2A50_u32.to_le_bytes();
const FRAME_HEAD: usize = 8;
/// What follows the JSON in its frame.
const FOOT: usize = 32 + 4 + MARK.len();
/// The maximum length of a description, in bytes. It limits what a damaged file makes us read.
const JSON_MAX: usize = 16 << 20;

/// Zstandard's default: faster than a disk, at nearly the size of slower levels.
const LEVEL: i32 = 3;
/// The number of bytes between two looks at whether to stop.
const CHUNK: usize = 1 << 20;

/// What a backup says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of the file's format.
    pub format: u32,
    /// The moment before the copy: it has every write that was acknowledged until then.
    pub created_at: Millis,
    /// The version of the program that has made it.
    pub server_version: String,
    /// The version of the database's schema.
    pub schema_version: i64,
    /// The number of tasks in each queue that has any.
    pub tasks: BTreeMap<String, i64>,
    /// The position of the last event of the journal; 0 if there is none.
    pub last_event: i64,
    /// The size of the database, in bytes.
    pub database_bytes: u64,
    /// The size of the compressed database, in bytes.
    pub compressed_bytes: u64,
    /// The SHA-256 of the compressed database, in hexadecimal digits.
    pub sha256: String,
}

/// The part of a description that every version has.
#[derive(Deserialize)]
struct Version {
    format: u32,
}

/// Compresses a database into an empty file, describes it with what is known of it, and syncs the
/// file. The sizes and the checksum of the description are set here.
pub(super) fn write(
    database: &mut File,
    to: &mut File,
    known: Manifest,
    stop: &StopFlag,
) -> anyhow::Result<Manifest> {
    let database_bytes = database.metadata()?.len();
    let mut encoder = zstd::stream::write::Encoder::new(Hashing::new(&mut *to), LEVEL)?;
    encoder.include_checksum(true)?;
    encoder.set_pledged_src_size(Some(database_bytes))?;
    pump(database, &mut encoder, stop)?;
    let (compressed_bytes, sha256) = encoder.finish()?.finish();
    let manifest = Manifest { format: FORMAT, database_bytes, compressed_bytes, sha256, ..known };
    let json = serde_json::to_vec(&manifest)?;
    ensure!(json.len() <= JSON_MAX, "the description has more than {JSON_MAX} bytes");
    let length = u32::try_from(json.len()).context("the description is too long")?;
    let frame = u32::try_from(json.len() + FOOT).context("the description is too long")?;
    to.write_all(&SKIPPABLE)?;
    to.write_all(&frame.to_le_bytes())?;
    to.write_all(&json)?;
    to.write_all(&Sha256::digest(&json))?;
    to.write_all(&length.to_le_bytes())?;
    to.write_all(MARK)?;
    to.sync_all()?;
    Ok(manifest)
}

/// Reads the description of a backup. What it describes may still be damaged.
pub(super) fn read_manifest(file: &mut File) -> anyhow::Result<Manifest> {
    let incomplete = "it is incomplete, or not a backup of Octopoid";
    let length = file.metadata()?.len();
    let foot: [u8; FOOT] = read_before(file, length, FOOT)?.try_into().unwrap_or([0; FOOT]);
    let (sum, rest) = foot.split_at(32);
    let (json_length, mark) = rest.split_at(4);
    ensure!(mark == MARK, incomplete);
    let json_length = json_length.try_into().map(u32::from_le_bytes)?;
    let json_length = usize::try_from(json_length)?;
    ensure!(json_length <= JSON_MAX, "its description is damaged");
    let frame_length = FRAME_HEAD + json_length + FOOT;
    let Some(start) = length.checked_sub(u64::try_from(frame_length)?) else { bail!(incomplete) };
    let frame = read_before(file, length, frame_length)?;
    let (head, frame) = frame.split_at(FRAME_HEAD);
    let (json, _) = frame.split_at(json_length);
    let size = u32::try_from(json_length + FOOT)?.to_le_bytes();
    let is_intact = head == [SKIPPABLE, size].concat() && Sha256::digest(json)[..] == *sum;
    ensure!(is_intact, "its description is damaged");
    let Version { format } = serde_json::from_slice(json).context("its description is damaged")?;
    ensure!(
        format == FORMAT,
        "it has format {format}, and this program reads format {FORMAT}: use a newer program"
    );
    let manifest: Manifest = serde_json::from_slice(json).context("its description is damaged")?;
    ensure!(manifest.compressed_bytes == start, "it is incomplete, or something was added to it");
    Ok(manifest)
}

/// The last bytes before an offset; fewer if there are no more.
fn read_before(file: &mut File, end: u64, count: usize) -> anyhow::Result<Vec<u8>> {
    let start = end.saturating_sub(u64::try_from(count)?);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::with_capacity(count);
    file.take(end - start).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Compares the compressed database with its checksum.
pub(super) fn check_sum(file: &mut File, manifest: &Manifest) -> anyhow::Result<()> {
    file.seek(SeekFrom::Start(0))?;
    let mut hashing = Hashing::new(io::sink());
    pump(&mut file.take(manifest.compressed_bytes), &mut hashing, &StopFlag::default())?;
    compare(hashing, manifest)
}

/// Decompresses the database into an empty file, and compares it with the description.
pub(super) fn unpack(file: &mut File, manifest: &Manifest, to: &mut File) -> anyhow::Result<()> {
    // Damaged data is not given to the decompressor.
    check_sum(file, manifest)?;
    file.seek(SeekFrom::Start(0))?;
    let damaged = "the compressed data is damaged";
    let mut decoder = zstd::stream::read::Decoder::new(file.take(manifest.compressed_bytes))?;
    // One byte more than there should be shows that there are more.
    let mut limited = Read::by_ref(&mut decoder).take(manifest.database_bytes.saturating_add(1));
    let bytes = io::copy(&mut limited, to).context(damaged)?;
    let expected = manifest.database_bytes;
    ensure!(bytes == expected, "the database has {bytes} bytes or more, and not {expected}");
    Ok(())
}

fn compare<W>(hashing: Hashing<W>, manifest: &Manifest) -> anyhow::Result<()> {
    let (bytes, sha256) = hashing.finish();
    ensure!(
        bytes == manifest.compressed_bytes && sha256 == manifest.sha256,
        "the data does not match its checksum: the file was damaged after it was written"
    );
    Ok(())
}

/// Copies everything, unless it is stopped.
fn pump(from: &mut impl Read, to: &mut impl Write, stop: &StopFlag) -> anyhow::Result<()> {
    let mut chunk = vec![0; CHUNK];
    loop {
        stop.check()?;
        match from.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(count) => to.write_all(&chunk[..count])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Counts and hashes what is written through it.
struct Hashing<W> {
    inner: W,
    hash: Sha256,
    bytes: u64,
}

impl<W> Hashing<W> {
    fn new(inner: W) -> Self {
        Self { inner, hash: Sha256::new(), bytes: 0 }
    }

    /// The number of bytes, and their SHA-256.
    fn finish(self) -> (u64, String) {
        (self.bytes, hex::encode(self.hash.finalize()))
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.hash.update(&bytes[..count]);
        self.bytes += u64::try_from(count).unwrap_or_default();
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

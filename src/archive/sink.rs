//! Where the lines of a segment go: into a new file, or against an existing one.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

use super::error::ArchiveError;
use super::files::{at, partial, publish};
use super::manifest::{FileEntry, entry};

/// Takes lines, each with its line end.
pub(super) trait Sink: Send + 'static {
    fn line(&mut self, line: &[u8]) -> io::Result<()>;
}

/// Counts and hashes what goes to the file.
struct Hashed {
    file: BufWriter<File>,
    sha: Sha256,
    bytes: u64,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.sha.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// A new file, which has its name only when it is whole.
pub(super) struct NewFile {
    folder: PathBuf,
    name: String,
    lines: u64,
    out: GzEncoder<Hashed>,
}

impl NewFile {
    pub(super) fn create(folder: &Path, name: String) -> Result<Self, ArchiveError> {
        let path = partial(folder, &name);
        let file = File::create(&path).map_err(at(&path))?;
        let hashed = Hashed { file: BufWriter::with_capacity(1 << 18, file), sha: Sha256::new(), bytes: 0 };
        let out = GzEncoder::new(hashed, Compression::default());
        Ok(Self { folder: folder.to_owned(), name, lines: 0, out })
    }

    /// Syncs the file to the disk under its name.
    pub(super) fn finish(self) -> Result<FileEntry, ArchiveError> {
        let path = self.folder.join(&self.name);
        let mut hashed = self.out.finish().map_err(at(&path))?;
        hashed.flush().map_err(at(&path))?;
        publish(&self.folder, &self.name, hashed.file.get_ref())?;
        Ok(entry(self.name, self.lines, hashed.bytes, &hashed.sha.finalize().into()))
    }
}

impl Sink for NewFile {
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        self.lines += 1;
        self.out.write_all(line)
    }
}

/// An existing file, which must have exactly these lines.
pub(super) struct Expected {
    file: PathBuf,
    lines: u64,
    reader: BufReader<GzDecoder<BufReader<File>>>,
    buffer: Vec<u8>,
}

impl Expected {
    pub(super) fn open(file: PathBuf) -> Result<Self, ArchiveError> {
        let opened = File::open(&file).map_err(at(&file))?;
        let reader = BufReader::with_capacity(1 << 18, GzDecoder::new(BufReader::new(opened)));
        Ok(Self { file, lines: 0, reader, buffer: Vec::new() })
    }

    /// Checks that the file has no more lines.
    pub(super) fn finish(mut self) -> Result<(), ArchiveError> {
        match self.reader.fill_buf() {
            Ok([]) => Ok(()),
            Ok(_) => {
                let problem = format!("has more than the {} lines that it must have", self.lines);
                Err(ArchiveError::File { file: self.file, problem })
            }
            Err(source) => Err(ArchiveError::Io { file: self.file, source }),
        }
    }
}

impl Sink for Expected {
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        self.lines += 1;
        self.buffer.clear();
        self.reader.read_until(b'\n', &mut self.buffer)?;
        if self.buffer == line {
            return Ok(());
        }
        Err(io::Error::other(format!("line {} is not what the ledger contains", self.lines)))
    }
}

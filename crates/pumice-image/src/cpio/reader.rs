//! Reading an archive that may be hostile.

use std::{
    collections::HashMap,
    io::{self, Read},
};

use super::{CpioError, Header, TRAILER, header::HEADER_LENGTH, padding};
use crate::{Device, Entry, Limits, Meta, Node, Tree, TreePath};

/// The longest name taken, with its NUL (`PATH_MAX`; the kernel skips members with longer ones).
const LONGEST_NAME: u32 = 4096;
/// The longest target of a symbolic link (`PATH_MAX`).
const LONGEST_TARGET: u32 = 4096;

/// Reads one archive, member by member. After [`next_entry`](Reader::next_entry) gave a header, the reader
/// itself gives the contents of that member; what is not read is skipped.
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    limits: Limits,
    position: u64,
    /// Contents of the current member not yet read, in bytes.
    left: u64,
    entries: u64,
    is_over: bool,
}

impl<R: Read> Reader<R> {
    /// Reads from `input`, which stands at the first header.
    pub fn new(input: R, limits: Limits) -> Self {
        Self { input, limits, position: 0, left: 0, entries: 0, is_over: false }
    }

    /// The header of the next member; `None` after the trailer. Exactly the archive is taken from the input,
    /// with the padding of its trailer.
    pub fn next_entry(&mut self) -> Result<Option<Header>, CpioError> {
        if self.is_over {
            return Ok(None);
        }
        self.skip_contents()?;
        let offset = self.position;
        let mut bytes = [0; HEADER_LENGTH];
        self.take(&mut bytes)?;
        let (mut header, name_length) = Header::decode(&bytes, offset)?;
        if name_length == 0 || name_length > LONGEST_NAME {
            return Err(CpioError::TooMuch {
                what: format!("a name of {name_length} bytes at byte {offset}"),
            });
        }
        let mut name = vec![0; name_length as usize];
        self.take(&mut name)?;
        if name.pop() != Some(0) {
            return Err(CpioError::Damaged { offset });
        }
        self.skip_padding()?;
        header.name = name;
        if header.name == TRAILER {
            self.left = header.size.into();
            self.skip_contents()?;
            self.is_over = true;
            return Ok(None);
        }
        self.entries += 1;
        if self.entries > self.limits.entries {
            return Err(CpioError::TooMuch { what: format!("more than {} members", self.limits.entries) });
        }
        if self.position.saturating_add(header.size.into()) > self.limits.bytes {
            return Err(CpioError::TooMuch { what: format!("more than {} bytes", self.limits.bytes) });
        }
        self.left = header.size.into();
        Ok(Some(header))
    }

    /// Reads the rest of the archive into a tree, the contents into memory. Names that leave the tree are an
    /// error; the entry for the root itself is left out.
    pub fn into_tree(mut self) -> Result<Tree, CpioError> {
        let mut tree = Tree::new();
        let mut names: HashMap<(u32, u32, u32), TreePath> = HashMap::new();
        while let Some(header) = self.next_entry()? {
            if is_root(&header.name) {
                continue;
            }
            let path = TreePath::new(&header.name)?;
            let meta = Meta {
                mode: header.mode & 0o7777,
                uid: header.uid,
                gid: header.gid,
                mtime: header.mtime.into(),
            };
            let device = Device { major: header.special.0, minor: header.special.1 };
            let node = match header.mode & 0o170_000 {
                0o040_000 => Node::Directory,
                0o120_000 => {
                    if header.size > LONGEST_TARGET {
                        return Err(CpioError::TooMuch {
                            what: format!("a link target of {} bytes", header.size),
                        });
                    }
                    Node::Symlink(self.contents()?)
                }
                0o020_000 => Node::CharacterDevice(device),
                0o060_000 => Node::BlockDevice(device),
                0o010_000 => Node::Fifo,
                0o100_000 => {
                    let identity = (header.device.0, header.device.1, header.inode);
                    let first = if header.links > 1 { names.get(&identity).cloned() } else { None };
                    let contents = self.contents()?;
                    if let Some(first) = first {
                        if !contents.is_empty() {
                            tree.fill(&first, contents.into());
                        }
                        Node::HardLink(first)
                    } else {
                        names.insert(identity, path.clone());
                        Node::File(contents.into())
                    }
                }
                // Sockets and what no kernel knows: nothing a guest could use.
                _ => continue,
            };
            tree.insert(&path, Entry::new(meta, node))?;
        }
        Ok(tree)
    }

    /// The contents of the current member.
    fn contents(&mut self) -> Result<Vec<u8>, CpioError> {
        let expected = self.left;
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes)?;
        if bytes.len() as u64 == expected { Ok(bytes) } else { Err(cut_short().into()) }
    }

    fn take(&mut self, bytes: &mut [u8]) -> Result<(), CpioError> {
        self.input.read_exact(bytes)?;
        self.position += bytes.len() as u64;
        Ok(())
    }

    fn skip_contents(&mut self) -> Result<(), CpioError> {
        let left = self.left;
        if io::copy(&mut self.input.by_ref().take(left), &mut io::sink())? < left {
            return Err(cut_short().into());
        }
        self.position += left;
        self.left = 0;
        self.skip_padding()
    }

    /// Skips what follows a name or contents. An archive cut at the very end lacks only zeros: that is let
    /// pass, as the kernel does.
    fn skip_padding(&mut self) -> Result<(), CpioError> {
        let count = padding(self.position) as u64;
        self.position += io::copy(&mut self.input.by_ref().take(count), &mut io::sink())?;
        Ok(())
    }
}

/// The contents of the current member.
impl<R: Read> Read for Reader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.input.read(&mut buffer[..wanted])?;
        if count == 0 && wanted > 0 {
            return Err(cut_short());
        }
        self.left -= count as u64;
        self.position += count as u64;
        Ok(count)
    }
}

fn cut_short() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the archive ends in the middle of a file")
}

/// The directory everything stands in, as `find . | cpio -o` writes it.
fn is_root(name: &[u8]) -> bool {
    matches!(name, b"." | b"/" | b"./" | b"")
}

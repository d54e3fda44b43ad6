//! The commands `debugfs` is given, in a file.
//!
//! Source: debugfs(8) for the commands; lib/ss/parse.c of e2fsprogs for the quoting: a word in double quotes,
//! in which a double quote is doubled. A line cannot hold a line break, so neither can a name.

use std::path::Path;

use super::Ext4Error;

/// What a file has beside its contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attributes {
    /// Kind and permissions (inode(7)).
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) mtime: u64,
}

/// Commands, each on a line of its own.
#[derive(Debug, Default)]
pub(super) struct Script {
    text: Vec<u8>,
}

impl Script {
    /// One command with its words.
    fn command(&mut self, words: &[&[u8]]) -> Result<(), Ext4Error> {
        for (index, word) in words.iter().enumerate() {
            if word.iter().any(|byte| *byte < b' ' || *byte == 0x7f) {
                return Err(Ext4Error::Name(String::from_utf8_lossy(word).escape_debug().to_string()));
            }
            if index > 0 {
                self.text.extend_from_slice(b" \"");
            }
            for byte in *word {
                self.text.push(*byte);
                if *byte == b'"' && index > 0 {
                    self.text.push(b'"');
                }
            }
            if index > 0 {
                self.text.push(b'"');
            }
        }
        self.text.push(b'\n');
        Ok(())
    }

    /// What follows is about names in this directory, given as an absolute path.
    pub(super) fn enter(&mut self, directory: &[u8]) -> Result<(), Ext4Error> {
        self.command(&[b"cd", directory])
    }

    pub(super) fn make_directory(&mut self, name: &[u8]) -> Result<(), Ext4Error> {
        self.command(&[b"mkdir", name])
    }

    /// Copies the file `host` in.
    pub(super) fn write(&mut self, host: &Path, name: &[u8]) -> Result<(), Ext4Error> {
        self.command(&[b"write", host.as_os_str().as_encoded_bytes(), name])
    }

    pub(super) fn symlink(&mut self, name: &[u8], target: &[u8]) -> Result<(), Ext4Error> {
        self.command(&[b"symlink", name, target])
    }

    /// `kind` is `c` or `b` with the numbers of the device, or `p`.
    pub(super) fn node(&mut self, name: &[u8], kind: &[u8], numbers: &[u32]) -> Result<(), Ext4Error> {
        let numbers: Vec<String> = numbers.iter().map(u32::to_string).collect();
        let mut words = vec![b"mknod".as_slice(), name, kind];
        words.extend(numbers.iter().map(String::as_bytes));
        self.command(&words)
    }

    /// Gives the file at the absolute path `target` another name.
    pub(super) fn link(&mut self, target: &[u8], name: &[u8]) -> Result<(), Ext4Error> {
        self.command(&[b"ln", target, name])
    }

    pub(super) fn remove(&mut self, name: &[u8]) -> Result<(), Ext4Error> {
        self.command(&[b"rm", &here(name)])
    }

    /// Sets owner, time, kind and permissions from what a new file has to what it is to have.
    pub(super) fn set(
        &mut self,
        name: &[u8],
        fresh: Attributes,
        wanted: Attributes,
    ) -> Result<(), Ext4Error> {
        let name = here(name);
        let fields = [
            ("mode", u64::from(fresh.mode), u64::from(wanted.mode)),
            ("uid", fresh.uid.into(), wanted.uid.into()),
            ("gid", fresh.gid.into(), wanted.gid.into()),
            ("mtime", fresh.mtime, wanted.mtime),
        ];
        for (field, fresh, wanted) in fields {
            if fresh == wanted {
                continue;
            }
            let value = match field {
                "mode" => format!("0{wanted:o}"),
                "mtime" => format!("@{wanted}"),
                _ => wanted.to_string(),
            };
            self.command(&[b"sif", &name, field.as_bytes(), value.as_bytes()])?;
        }
        Ok(())
    }

    /// Says how many names a file has, which `ln` does not count.
    pub(super) fn set_links(&mut self, path: &[u8], links: u32) -> Result<(), Ext4Error> {
        self.command(&[b"sif", path, b"links_count", links.to_string().as_bytes()])
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.text
    }
}

/// A name where debugfs would take `<12>` for an inode number.
fn here(name: &[u8]) -> Vec<u8> {
    [b"./", name].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_and_cannot_begin_another_command() {
        let mut script = Script::default();
        script.enter(b"/a \"b\"").unwrap();
        script.remove(b"<2>").unwrap();
        let fresh = Attributes { mode: 0o100_600, uid: 0, gid: 0, mtime: 1 };
        script.set(b"x", fresh, Attributes { mode: 0o100_644, gid: 5, mtime: 9, ..fresh }).unwrap();
        let expected = "cd \"/a \"\"b\"\"\"\nrm \"./<2>\"\nsif \"./x\" \"mode\" \"0100644\"\n\
                        sif \"./x\" \"gid\" \"5\"\nsif \"./x\" \"mtime\" \"@9\"\n";
        assert_eq!(String::from_utf8(script.into_bytes()).unwrap(), expected);
        for name in [&b"a\nrm /etc/passwd"[..], b"a\r", b"\x7f"] {
            assert!(matches!(Script::default().make_directory(name), Err(Ext4Error::Name(_))));
        }
    }
}

//! Who is making which result now.

use std::collections::HashMap;

use fs_err as fs;

use super::Store;
use crate::base::Digest;
use crate::base::lock::{self, Holder};

impl Store {
    /// The keys that are being made, and by whom, as far as the locks tell. Disturbs nobody, and writes nothing.
    pub fn building(&self) -> HashMap<Digest, Holder> {
        let locks = fs::read_dir(self.root.join("locks")).into_iter().flatten().flatten();
        let holder = |entry: fs::DirEntry| {
            let path = entry.path();
            Some((Digest::parse(path.file_stem()?.to_str()?)?, lock::holder(&path)?))
        };
        locks.filter_map(holder).collect()
    }
}

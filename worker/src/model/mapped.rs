//! Memory-mapped weight files, and tensors that read straight from them: the one unsafe corner of the weights.
//!
//! Several workers that map the same checkpoint share its pages, and a tensor that is never read costs no memory.
#![allow(unsafe_code)]

use std::ops::Range;
use std::path::Path;

use memmap2::{Mmap, UncheckedAdvice};
use tch::{Device, Kind, TchError, Tensor};

/// A whole file, mapped read-only.
#[derive(Debug)]
pub(super) struct MappedFile {
    map: Mmap,
}

impl MappedFile {
    /// Maps a file.
    pub(super) fn open(file: &Path) -> std::io::Result<Self> {
        let file = fs_err::File::open(file)?;
        // SAFETY: the map is read-only, and nothing here writes to it. What remains is that another process cuts the file
        // short while it is mapped; checkpoints live in a cache whose files are replaced by renaming and never
        // rewritten in place, which leaves the mapped inode as it was.
        let map = unsafe { Mmap::map(file.file())? };
        Ok(Self { map })
    }

    /// The bytes of the file.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.map
    }

    /// A tensor on the bytes in `range`, without a copy. It must not outlive `self`, and must never be written to;
    /// the caller keeps the map beside all tensors made from it.
    pub(super) fn tensor(&self, range: Range<usize>, shape: &[i64], kind: Kind) -> Result<Tensor, TchError> {
        let wanted = shape.iter().product::<i64>() as usize * kind.elt_size_in_bytes();
        let bytes = &self.map[range];
        if bytes.len() != wanted {
            return Err(TchError::Shape(format!("{} bytes for a tensor of {wanted}", bytes.len())));
        }
        let mut strides = vec![1_i64; shape.len()];
        for dimension in (1..shape.len()).rev() {
            strides[dimension - 1] = strides[dimension] * shape[dimension];
        }
        // SAFETY: the bytes are initialised, as many as the shape needs (checked above), and stay mapped as long as `self`
        // lives. The checkpoint's loader gives out no tensor of this kind: it is read by the frozen layers only.
        unsafe { Tensor::f_from_blob(bytes.as_ptr(), shape, &strides, kind, Device::Cpu) }
    }

    /// Tells the system that the pages of `range` are not needed for now, after they have been copied.
    pub(super) fn forget(&self, range: Range<usize>) {
        // SAFETY: for a read-only map of a file, `MADV_DONTNEED` drops pages that are read again from the file when they
        // are touched; no tensor on them changes its value. A refusal only costs memory, so it is not an error.
        let _ = unsafe { self.map.unchecked_advise_range(UncheckedAdvice::DontNeed, range.start, range.len()) };
    }
}

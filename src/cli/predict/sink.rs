//! Where the answers go.

use std::io::{self, Write};
use std::path::PathBuf;

use fs_err::File;

use crate::cli::arguments::PredictArguments;
use crate::cli::failure::Failure;

/// Standard output, or a file that is begun with the first answers: what it held before is not lost to a typing error.
pub enum Sink {
    /// Standard output.
    Standard,
    /// A file.
    File {
        /// Where it is.
        path: PathBuf,
        /// Set once it is begun.
        open: Option<File>,
    },
}

impl Sink {
    /// What `--output` names.
    ///
    /// # Errors
    /// The input itself.
    pub fn new(arguments: &PredictArguments) -> Result<Self, Failure> {
        let Some(path) = &arguments.output else { return Ok(Self::Standard) };
        let real = |path: &PathBuf| fs_err::canonicalize(path).ok();
        if let Some(input) = &arguments.input
            && real(path).is_some_and(|output| real(input) == Some(output))
        {
            return Err(Failure::usage(
                format!("`{}` is the input and the output", path.display()),
                "write the answers to another file",
            ));
        }
        Ok(Self::File { path: path.clone(), open: None })
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Standard => io::stdout().lock().write(bytes),
            Self::File { open: Some(file), .. } => file.write(bytes),
            Self::File { path, open } => open.insert(File::create(&*path)?).write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Standard => io::stdout().lock().flush(),
            Self::File { open: Some(file), .. } => file.flush(),
            Self::File { .. } => Ok(()),
        }
    }
}

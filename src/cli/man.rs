//! `compt man`: the manual pages, one for the program and one for each subcommand.

use std::path::PathBuf;

use clap::{Args, Command, CommandFactory};
use clap_mangen::Man;
use serde_json::json;

use super::arguments::Arguments;
use super::failure::Failure;
use crate::base::files::write_atomically;

/// Arguments of `man`.
#[derive(Debug, Args)]
pub struct ManArguments {
    /// Write compt.1, compt-run.1 and so on into this folder, instead of printing the first one
    #[arg(long, short, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Print the names of what was written as JSON
    #[arg(long, requires = "output")]
    pub json: bool,
}

/// Prints the page of the program, or writes all pages.
pub fn man(arguments: &ManArguments) -> Result<(), Failure> {
    let mut program = Arguments::command().disable_help_subcommand(true);
    program.build();
    let Some(folder) = &arguments.output else {
        super::print(&String::from_utf8_lossy(&page(&program)?));
        return Ok(());
    };
    let mut written = Vec::new();
    for command in std::iter::once(&program).chain(program.get_subcommands()) {
        let name = command.get_display_name().unwrap_or(command.get_name());
        let path = folder.join(format!("{name}.1"));
        write_atomically(&path, &page(command)?)?;
        written.push(path);
    }
    super::print(&if arguments.json {
        super::as_json(&json!({ "written": written }))
    } else {
        written.iter().map(|path| format!("wrote {}\n", path.display())).collect()
    });
    Ok(())
}

fn page(command: &Command) -> std::io::Result<Vec<u8>> {
    let mut page = Vec::new();
    let source = concat!("compt ", env!("CARGO_PKG_VERSION"));
    Man::new(command.clone()).source(source).manual("compt").render(&mut page)?;
    Ok(page)
}

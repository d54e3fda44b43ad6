//! The exit codes, as documented in `docs/user/exit-codes.md`.

use std::process::ExitCode;

use pumice_types::Fault;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// The job is complete and no case failed; or the command did what it should.
    Success,
    /// The program itself is to blame.
    Bug,
    /// The job or the device was refused before anything started.
    BadDefinition,
    /// The host, the network, the simulator or the lab's configuration failed.
    Infrastructure,
    /// The job was ended on request.
    Cancelled,
    /// The job is complete and at least one case failed.
    TestsFailed,
    /// What the job asked for did not work.
    JobFailed,
    /// A command ran in the guest, and this is its own exit status.
    OfGuest(u8),
}

impl Exit {
    /// The code. 2 is clap's own, for a command line it cannot read.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Bug => 1,
            Self::BadDefinition => 64,
            Self::Infrastructure => 66,
            Self::Cancelled => 67,
            Self::TestsFailed => 100,
            Self::JobFailed => 101,
            Self::OfGuest(code) => code,
        }
    }

    /// The end of a job that failed.
    pub(crate) fn of_fault(fault: Fault) -> Self {
        match fault {
            Fault::Job | Fault::Test | Fault::MultinodeTimeout => Self::JobFailed,
            Fault::Infrastructure | Fault::Configuration => Self::Infrastructure,
            Fault::Cancelled => Self::Cancelled,
            Fault::Bug => Self::Bug,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = include_str!("../../../docs/user/exit-codes.md");

    #[test]
    fn the_page_lists_every_code_and_no_other() {
        let all = [
            Exit::Success,
            Exit::Bug,
            Exit::BadDefinition,
            Exit::Infrastructure,
            Exit::Cancelled,
            Exit::TestsFailed,
            Exit::JobFailed,
        ];
        let rows = PAGE.lines().filter_map(|line| line.strip_prefix("| "));
        let cells = rows.map(|row| row.split(" | ").take(2).map(str::trim).collect::<Vec<_>>());
        let listed: Vec<(u8, String)> = cells
            .filter_map(|cells| Some((cells.first()?.parse().ok()?, (*cells.get(1)?).to_owned())))
            // clap's own has no name.
            .filter(|(code, _)| *code != 2)
            .collect();
        let known: Vec<(u8, String)> = all.iter().map(|exit| (exit.code(), format!("{exit:?}"))).collect();
        assert_eq!(listed, known);
    }
}

//! What the texts of a model mean, and the numbers in them.

use pumice_platform::{Meaning, Measure, OutputRule};
use pumice_types::Cause;

/// What a Linux guest says last on its console when it switched the machine off: the process may well stay
/// (fastmodels 4.5).
pub(crate) const POWER_OFF: &str = "reboot: (Power down|System halted)";

/// The rules, the special before the general: the first that fits a line gives it its meaning.
pub(crate) fn rules() -> Vec<OutputRule> {
    use Cause::{
        ImageUnusable, LicenceRefused, LicenceUnavailable, SimulatorExited, SimulatorLimit, SimulatorMissing,
        SimulatorRefused,
    };
    use Meaning::{Explains, Fails};
    let table: &[(&str, Meaning, &str)] = &[
        // Limits end a model with exit code 0, so the text decides (fastmodels 2.5, 4.5).
        (
            r"Reason: .+ has been exceeded",
            Fails(SimulatorLimit),
            "the job gives the model a limit (--timelimit, --simlimit, --cpulimit or --cyclelimit); raise it",
        ),
        // FlexNet's numbers (fastmodels 5.1): seats first, then what passes, then what stays.
        (
            r"(?i)licens\w+ error:\s*-(4|18)\b",
            Fails(LicenceUnavailable),
            "all seats are taken; give the count to pumice (`licences` in its configuration), so that runs wait",
        ),
        (
            r"(?i)licens\w+ error:\s*-(15|20|33|96|97)\b",
            Fails(LicenceUnavailable),
            "the licence server does not answer; check ARMLMD_LICENSE_FILE and that both of its ports are open",
        ),
        (
            r"(?i)licens\w+ error:\s*-\d+",
            Fails(LicenceRefused),
            "the licence does not cover this model; ask whoever keeps the licences",
        ),
        // User-based licences (fastmodels 5.2).
        (
            r"(?i)licens.*assigned to another user",
            Fails(LicenceRefused),
            "user-based licences belong to a user name: run as the user who activated it (`armlm inspect`)",
        ),
        (
            r"(?i)license server .*could not be reached",
            Fails(LicenceUnavailable),
            "the licence server does not answer; check its address and the network",
        ),
        (r"(?i)licens.*expired", Fails(LicenceRefused), "activate or renew the licence (`armlm reactivate`)"),
        (
            r"(?i)^Fatal: license error",
            Fails(LicenceRefused),
            "the licence does not cover this model; `armlm inspect` shows what there is",
        ),
        (
            r"License check failed",
            Fails(LicenceUnavailable),
            "check the licence variables in pumice's configuration, and whether a seat is free",
        ),
        // The loader, before the model's first instruction (fastmodels 4.7).
        (
            r"error while loading shared libraries",
            Fails(SimulatorMissing),
            "`ldd MODEL` shows what is missing; install it, or set LD_LIBRARY_PATH, here or in the model's entry",
        ),
        (
            r"cannot enable executable stack",
            Fails(SimulatorMissing),
            "glibc 2.41 refuses this library: clear the flag with `execstack -c` on the model's libraries",
        ),
        (r"Error: \(E\d+\) uncaught exception", Explains(SimulatorExited), ""),
        // Some RTSMs (fastmodels 8, complaint 19); the wording is in no public source.
        (
            r"(?i)(cannot|can not|must not|may not|refus\w+ to|not allowed to) (be )?run as root",
            Explains(SimulatorRefused),
            "run pumice, or its worker, as a user who is not root",
        ),
        // The command line (fastmodels 2.3, 4.7).
        (r"unhandled argument", Fails(SimulatorRefused), "this model does not know the option"),
        (r": option '.*' requires an argument", Fails(SimulatorRefused), ""),
        (r"(?i)(unrecogni[sz]ed|unknown|invalid) option", Fails(SimulatorRefused), ""),
        (
            r"(?i)(unknown|invalid|no such|not find).*parameter|parameter.*(not found|unknown|does not exist|invalid)",
            Explains(SimulatorRefused),
            "`MODEL --list-params` shows what it has",
        ),
        (
            r"(?i)(application|plug-?in|image|data file) .*(cannot|could not|not found|no such|does not exist)",
            Explains(ImageUnusable),
            "a path in the model's arguments leads nowhere",
        ),
        (
            r"(?i)(cannot|could not|failed to) (open|load|find|read) (the )?(data file|configuration file|config file|image|application|plug-?in)",
            Explains(ImageUnusable),
            "a path in the model's arguments leads nowhere",
        ),
        (
            r"(?i)(cannot|could not|failed to) (open|load|find) (the )?model\b",
            Explains(SimulatorMissing),
            "Model Shell loads a shared library: give its whole path, or LD_LIBRARY_PATH where it is",
        ),
        // The semihosting boot-wrapper (fastmodels 3.4).
        (
            r"Incorrect bootwrapper command-line|\[bootwrapper\] BOOT FAILED",
            Fails(ImageUnusable),
            "the boot-wrapper could not load what its command line names",
        ),
    ];
    let rule = |(pattern, means, hint): &(&str, Meaning, &str)| OutputRule {
        pattern: (*pattern).to_owned(),
        means: *means,
        hint: (!hint.is_empty()).then(|| (*hint).to_owned()),
    };
    table.iter().map(rule).collect()
}

/// The table of `--stat` (fastmodels 4.6).
pub(crate) fn measures() -> Vec<Measure> {
    let measure = |pattern: &str, name: &str, units: &str| Measure {
        pattern: pattern.to_owned(),
        name: name.to_owned(),
        units: units.to_owned(),
    };
    vec![
        measure(r"^Simulated time\s*:\s*(?P<VALUE>[\d.]+)s", "simulated-time", "seconds"),
        measure(r"^User time\s*:\s*(?P<VALUE>[\d.]+)s", "user-time", "seconds"),
        measure(r"^System time\s*:\s*(?P<VALUE>[\d.]+)s", "system-time", "seconds"),
        measure(r"^Wall time\s*:\s*(?P<VALUE>[\d.]+)s", "wall-time", "seconds"),
        measure(r"^Performance index\s*:\s*(?P<VALUE>[\d.]+)", "performance-index", ""),
        measure(r"^Total\s*:\s*(?P<VALUE>[\d.]+) MIPS", "total-mips", "MIPS"),
        measure(r"^(?P<NAME>\S+)\s*:\s*(?P<VALUE>[\d.]+) MIPS", "{NAME}-mips", "MIPS"),
        measure(r"^Memory highwater mark\s*:.*\(\s*(?P<VALUE>[\d.]+) GB", "memory-highwater", "GB"),
    ]
}

#[cfg(test)]
mod tests {
    use regex_automata::meta::Regex;

    use super::*;

    fn meaning(line: &str) -> Option<Meaning> {
        let fits = |rule: &OutputRule| Regex::new(&rule.pattern).unwrap().is_match(line);
        rules().into_iter().find(fits).map(|rule| rule.means)
    }

    #[test]
    fn public_texts_have_their_meaning() {
        use Meaning::{Explains, Fails};
        let check = |line: &str, expected| assert_eq!(meaning(line), expected, "{line}");
        let limit = Some(Fails(Cause::SimulatorLimit));
        check("Info: Simulation is stopping. Reason: Cycle limit has been exceeded.", limit);
        check("Info: Simulation is stopping. Reason: CPU time has been exceeded.", limit);
        let wait = Some(Fails(Cause::LicenceUnavailable));
        check("FlexNet Licensing error:-4,132", wait);
        check("FlexNet Licensing error:-15,570", wait);
        check("ERROR: License check failed!", wait);
        check("License server 'https://licence.example' could not be reached", wait);
        let never = Some(Fails(Cause::LicenceRefused));
        check("FlexNet Licensing error:-5,357", never);
        check("Fatal: license error: The license found is assigned to another user.", never);
        check(
            "x: error while loading shared libraries: libatomic.so.1: …",
            Some(Fails(Cause::SimulatorMissing)),
        );
        check("/opt/FVP: option '-Q' requires an argument", Some(Fails(Cause::SimulatorRefused)));
        check("[bootwrapper] BOOT FAILED", Some(Fails(Cause::ImageUnusable)));
        check(
            "model_shell64: cannot open model 'RTSM_VE_AEMv8A.so'",
            Some(Explains(Cause::SimulatorMissing)),
        );
        check("FVP: cannot be run as root", Some(Explains(Cause::SimulatorRefused)));
        check("Error: (E549) uncaught exception: boom", Some(Explains(Cause::SimulatorExited)));
        // An error that does not stop a model, a warning of a helper, and the usual end.
        check("Error: FVP_Base_AEMvA: bp.virtio_rng: <vq0-requestq> Found invalid descriptor index", None);
        check("sh: 1: xterm: not found", None);
        check("Info: /OSCI/SystemC: Simulation stopped by user.", None);
        check("libdbus-1.so.3: cannot open shared object file: No such file or directory", None);
    }
}

//! Install steps: what is tried again, what is not, and what the host is told.

use pumice_guest::overlay::InstallPart;

use crate::harness::{Guest, each_shell, overlay, run_on_console, test};

/// A program that fails as often as the file `fails` says, printing `message`, and notes how it was called.
fn failing(guest: &Guest, name: &str, fails: usize, status: i32, message: &str) {
    guest.write(&format!("{name}.message"), message);
    let body = format!(
        "echo \"{name} $*\" >> $GUEST/calls
count=0
[ ! -f $GUEST/{name}.$1.count ] || read -r count < $GUEST/{name}.$1.count
echo $((count + 1)) > $GUEST/{name}.$1.count
[ $count -lt {fails} ] || exit 0
cat $GUEST/{name}.message >&2
exit {status}"
    );
    guest.program(name, &body);
}

/// No waiting; what would be waited is in `waits`, where the shell lets programs be replaced.
fn patient(guest: &mut Guest) {
    guest.set("LAVA_RETRY_PAUSE", "0");
}

const NO_RESOLVER: &str = "E: Failed to fetch http://mirror/x.deb  Temporary failure resolving 'mirror'";

#[test]
fn the_network_is_tried_again_until_it_works() {
    each_shell(|mut guest| {
        patient(&mut guest);
        for (name, message) in [
            ("apt-get", NO_RESOLVER),
            (
                "pip",
                "WARNING: Retrying after connection broken by 'NewConnectionError(': Failed to establish a new \
                     connection: [Errno -3] Temporary failure in name resolution')'\n\
                     ERROR: Could not find a version that satisfies the requirement x (from versions: none)",
            ),
            ("git", "fatal: unable to access 'https://h/r/': Could not resolve host: h"),
            (
                "apk",
                "WARNING: fetching http://m/APKINDEX.tar.gz: temporary error (try again later)\n\
                     ERROR: unable to select packages:\n  x (no such package)",
            ),
            (
                "dnf",
                "Error: Failed to download metadata for repo 'fedora': Cannot prepare internal mirrorlist: Curl error (6)",
            ),
        ] {
            failing(&guest, name, 2, 1, message);
            guest.lay(&overlay(&guest));
            let ran = guest.run(&format!("lava-retry {name} install x"));
            assert_eq!(ran.status, 0, "{name}");
            assert_eq!(guest.read(&format!("{name}.install.count")), "3\n");
            let first = message.lines().next().unwrap();
            assert!(ran.errors.contains(&format!(
                "lava-retry: attempt 3 of '{name} install x' in 0 s, because of: {first}"
            )));
        }
    });
}

#[test]
fn the_pauses_double_and_end_before_the_deadline() {
    each_shell(|mut guest| {
        if guest.shell == "busybox" {
            println!("this busybox runs its own sleep whatever is in PATH; the script is the same");
            return;
        }
        guest.program("sleep", "echo $1 >> $GUEST/waits");
        failing(&guest, "git", 99, 128, "fatal: unable to access 'https://h/': Could not resolve host: h");
        guest.lay(&overlay(&guest));
        let ran = guest.run("lava-retry git clone https://h/");
        assert_eq!(ran.status, 128);
        assert_eq!(
            guest.read("waits").split_whitespace().collect::<Vec<_>>(),
            ["1", "2", "4", "8", "16", "30", "30", "30", "30"]
        );
        // The deadline is in seconds of the guest's uptime; 11 are left.
        let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
        let now: u64 = uptime.split('.').next().unwrap().parse().unwrap();
        guest.set("LAVA_DEADLINE_UPTIME", &(now + 11).to_string());
        guest.write("waits", "");
        let ran = guest.run("lava-retry git clone https://h/");
        assert_eq!(ran.status, 128);
        assert_eq!(guest.read("waits"), "1\n2\n4\n");
        assert!(ran.errors.contains("gave up 'git clone https://h/' after 4 attempts"), "{}", ran.errors);
    });
}

#[test]
fn what_does_not_exist_is_final_at_once() {
    each_shell(|mut guest| {
        patient(&mut guest);
        for (name, message) in [
            ("apt-get", "E: Unable to locate package nonsense"),
            ("pip", "ERROR: No matching distribution found for nonsense"),
            ("git", "fatal: repository 'https://h/nonsense/' not found"),
        ] {
            failing(&guest, name, 99, 7, message);
            guest.lay(&overlay(&guest));
            assert_eq!(guest.run(&format!("lava-retry {name} install nonsense")).status, 7);
            assert_eq!(guest.read(&format!("{name}.install.count")), "1\n");
        }
    });
}

/// Runs an overlay whose only test installs `install`; what the session says, and the calls of programs.
fn install(guest: &Guest, install: &str) -> (Vec<String>, String) {
    let mut overlay = overlay(guest);
    let text = format!("install: {install}\nrun: {{steps: [lava-test-case a --result pass]}}");
    overlay.runs.push(test(0, "t", &text));
    let told = run_on_console(guest, &overlay);
    (told, guest.read("calls"))
}

const RAN: [&str; 3] = ["0_t/a pass", "lava/0_t pass", "over"];

#[test]
fn plain_programs_in_install_steps_are_tried_again() {
    each_shell(|mut guest| {
        patient(&mut guest);
        failing(&guest, "pip", 2, 1, "ReadTimeoutError: Read timed out.");
        let (told, calls) = install(&guest, "{steps: [pip install x, command -v dnf && exit 9 || true]}");
        assert_eq!(told, RAN);
        assert_eq!(calls, "pip install x\n".repeat(3));
    });
}

#[test]
fn the_reason_of_a_failed_install_reaches_the_host() {
    let not_run = "lava/0_t fail: its install steps failed, so it was not run";
    let stage = "lava/stage_0 fail: install steps failed";
    for (status, message, over) in [
        (
            100,
            NO_RESOLVER,
            "over: install-network: the install steps of 0_t failed: the network did not work",
        ),
        (
            100,
            "E: Unable to locate package nonsense",
            "over: install-failed: the install steps of 0_t failed: a package does not exist",
        ),
        (1, "E: disk on fire", "over: install-failed: the install steps of 0_t failed: a step failed"),
    ] {
        each_shell(|mut guest| {
            patient(&mut guest);
            guest.write("etc/os-release", "ID=debian\n");
            failing(&guest, "apt-get", 99, status, message);
            let (told, _) = install(&guest, "{deps: [nonsense], steps: ['true']}");
            assert_eq!(told, [not_run, stage, over], "under {}", guest.shell);
        });
    }
    each_shell(|guest| {
        guest.write("etc/os-release", "ID=busybox\n");
        let (told, _) = install(&guest, "{deps: [x]}");
        let over = "over: install-failed: the install steps of 0_t failed: the guest has no package manager that is known";
        assert_eq!(told, [not_run, stage, over]);
    });
    each_shell(|guest| {
        let (told, _) = install(&guest, "{steps: ['exit 4']}");
        assert_eq!(told[2], "over: install-failed: the install steps of 0_t failed: a step failed");
    });
}

#[test]
fn the_distribution_is_found_in_the_guest() {
    let packages = "{deps: [a, b], deps-debian: [c], deps-fedora: [d]}";
    for (release, program, expected) in [
        ("ID=debian", "apt-get", "apt-get update\napt-get install --yes --no-install-recommends a b c\n"),
        (
            "ID=ubuntu\nID_LIKE=debian",
            "apt-get",
            "apt-get update\napt-get install --yes --no-install-recommends a b c\n",
        ),
        ("ID=fedora", "dnf", "dnf --assumeyes install a b d\n"),
        ("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"", "yum", "yum --assumeyes install a b d\n"),
        ("ID=alpine", "apk", "apk add --update-cache a b\n"),
        ("ID=poky", "opkg", "opkg update\nopkg install a b\n"),
        ("", "pacman", "pacman --sync --refresh --needed --noconfirm a b\n"),
    ] {
        each_shell(|guest| {
            guest.write("etc/os-release", release);
            failing(&guest, program, 0, 0, "");
            let (told, calls) = install(&guest, packages);
            assert_eq!((&told[..], calls.as_str()), (&RAN.map(str::to_owned)[..], expected), "{release}");
        });
    }
}

#[test]
fn a_list_that_was_not_fetched_makes_a_missing_package_the_networks_fault() {
    each_shell(|mut guest| {
        patient(&mut guest);
        guest.write("etc/os-release", "ID=debian\n");
        // apt-get update exits 0 although nothing came.
        guest.program(
            "apt-get",
            "echo \"$1\" >> $GUEST/calls
case $1 in
update) echo 'W: Some index files failed to download. They have been ignored, or old ones used instead.' >&2 ;;
install) echo 'E: Unable to locate package x' >&2; exit 100 ;;
esac",
        );
        let (told, calls) = install(&guest, "{deps: [x]}");
        assert_eq!(
            told[2],
            "over: install-network: the install steps of 0_t failed: the network did not work"
        );
        assert_eq!(calls, format!("{}install\n", "update\n".repeat(10)));
    });
}

#[test]
fn sources_and_keys_are_added_in_the_distributions_own_way() {
    each_shell(|guest| {
        guest.run("mkdir -p etc/apt/sources.list.d etc/apt/trusted.gpg.d");
        guest.write("etc/os-release", "ID=debian\n");
        guest.write("key", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n");
        failing(&guest, "apt-get", 0, 0, "");
        let key = guest.path("key").display().to_string();
        let sources = "'deb http://m/debian x main', 'deb-src http://m/debian x main'";
        let (told, _) = install(&guest, &format!("{{keys: ['{key}'], sources: [{sources}]}}"));
        assert_eq!(told, RAN);
        assert_eq!(
            guest.read("etc/apt/sources.list.d/lava.list"),
            "deb http://m/debian x main\ndeb-src http://m/debian x main\n"
        );
        assert!(guest.path("etc/apt/trusted.gpg.d/lava-1.asc").exists());
    });
}

#[test]
fn skipped_parts_are_left_out() {
    let text = "install: {deps: [x], steps: ['echo step >> \"$TMPDIR/../calls\"']}\nrun: {steps: ['true']}";
    for (skip, expected) in [
        (vec![InstallPart::Deps], "step\n"),
        (vec![InstallPart::Deps, InstallPart::Steps], ""),
        (vec![InstallPart::All], ""),
    ] {
        each_shell(|guest| {
            failing(&guest, "apt-get", 0, 0, "");
            let mut overlay = overlay(&guest);
            let mut run = test(0, "t", text);
            run.skip_install.clone_from(&skip);
            overlay.runs.push(run);
            assert_eq!(run_on_console(&guest, &overlay), ["lava/0_t pass", "over"]);
            assert_eq!(guest.read("calls"), expected);
        });
    }
}

//! Terminals: announcements, ports, clients, buffers (9.1.4 to 9.1.6; complaints 1 to 5 of section 8).

use crate::model::{Client, Model, Rig, quiet, words};
use std::io::Read;
use std::net::{Ipv4Addr, TcpListener};

const BASE: &str = "FVP_Base_RevC-2xAEMvA";
const VE: &str = "FVP_VE_Cortex-A15x1";

fn base(rig: &Rig, script: &str, knobs: &str, more: &[&str]) -> Model {
    let base = quiet("bp");
    rig.script(BASE, script, knobs, &words(&base, more))
}

/// The text of the announcements and nothing else.
fn announcement_text(knobs: &str, more: &[&str]) -> (String, Vec<(String, u16)>) {
    let rig = Rig::new();
    let model = base(&rig, "halt\n", knobs, more);
    model.stdout.expect("INFO: mmc: no image file connected");
    let text = model.stdout.text();
    (text.split("INFO: mmc").next().unwrap().to_owned(), model.announced())
}

#[test]
fn the_announcements_come_in_every_form() {
    let (text, ports) = announcement_text("", &[]);
    let port = ports[0].1;
    assert!(
        text.starts_with(&format!(
            "terminal_0: Listening for serial connection on port {port}\nterminal_1: "
        ))
    );
    let (text, ports) = announcement_text("announce=info_blank", &[]);
    let port = ports[0].1;
    assert!(
        text.starts_with(&format!(
            "\nInfo: FVP_Base_RevC_2xAEMvA: terminal_0: Listening for serial connection on port {port}\n\n\nInfo: "
        )),
        "{text}"
    );
    let (text, _) = announcement_text("announce=upper", &[]);
    assert!(text.starts_with("INFO: FVP_Base_RevC_2xAEMvA: terminal_0: Listening"), "{text}");
}

#[test]
fn shuffled_announcements_name_every_terminal_once_and_the_port_it_really_has() {
    let rig = Rig::new();
    let script = "say 0 \"zero\"\nsay 1 \"one\"\nsay 2 \"two\"\nsay 3 \"three\"\n";
    let model = base(&rig, script, "shuffle=7", &[]);
    let ports = model.ports(4);
    let names: Vec<_> = ports.iter().map(|(name, _)| name.as_str()).collect();
    assert_ne!(names, ["terminal_0", "terminal_1", "terminal_2", "terminal_3"]);
    for (name, text) in
        [("terminal_0", "zero"), ("terminal_1", "one"), ("terminal_2", "two"), ("terminal_3", "three")]
    {
        model.connect(name).expect(text);
    }
}

#[test]
fn announcements_may_be_glued_together_or_share_a_name() {
    let (text, ports) = announcement_text("glue=1", &[]);
    assert_eq!((text.lines().count(), text.matches("Listening").count()), (1, 4), "{text}");
    assert_eq!(ports.len(), 4);
    let (_, ports) = announcement_text("duplicate=1", &[]);
    assert!(ports.iter().all(|(name, _)| name == "terminal_0"), "{ports:?}");
    let (_, ports) = announcement_text("glue=1,announce=info,shuffle=1", &[]);
    assert_eq!(ports.len(), 4, "{ports:?}");
}

#[test]
fn a_silent_or_quiet_terminal_listens_without_a_word() {
    for (knobs, more) in [("silent=1", &[][..]), ("", &["-C", "bp.terminal_1.quiet=1"])] {
        let rig = Rig::new();
        let model = base(&rig, "say 1 \"here\"\n", knobs, more);
        let ports = model.ports(3);
        assert!(ports.iter().all(|(name, _)| name != "terminal_1"), "{ports:?}");
        let log = rig.log();
        let port = log.split("terminal_1 listens on ").nth(1).unwrap().split_whitespace().next().unwrap();
        Client::connect(port.parse().unwrap()).expect("here");
    }
}

#[test]
fn other_families_announce_their_own_terminals() {
    let rig = Rig::new();
    let rd = rig.start("FVP_RD_N2", "guest=none", &[]);
    rd.stdout.expect("terminal_ns_uart_ap: Listening");
    assert_eq!(rd.ports(11).len(), 11);
    rd.stdout.expect("INFO: RD_N2.css.cmn700: CMN-700 r1p0 model");
    let mps2 = rig.start("FVP_MPS2_Cortex-M3", "guest=none", &[]);
    mps2.stdout.expect("Info: FVP_MPS2_Cortex_M3: telnetterminal0: Listening for serial connection on port ");
    mps2.stdout.expect("Fast Models [");
    let v3 = rig.start("FVP_RD_V3_R1", "guest=none", &[]);
    let names: Vec<_> = v3.ports(6).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names.iter().filter(|name| *name == "terminal_rse_uart").count(), 2, "{names:?}");
}

#[test]
fn a_busy_port_is_passed_over_and_two_models_never_share_one() {
    let taken = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let start = taken.local_addr().unwrap().port();
    let line: Vec<String> =
        (0..4).flat_map(|at| ["-C".to_owned(), format!("bp.terminal_{at}.start_port={start}")]).collect();
    let line: Vec<&str> = line.iter().map(String::as_str).collect();
    let rig = Rig::new();
    let models: Vec<_> = (0..3).map(|_| base(&rig, "halt\n", "", &line)).collect();
    let mut all: Vec<u16> =
        models.iter().flat_map(|model| model.ports(4).into_iter().map(|(_, port)| port)).collect();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 12);
    assert!(all.iter().all(|&port| port > start), "{all:?} from {start}");
}

#[test]
fn telnet_mode_negotiates_and_escapes_and_raw_mode_does_neither() {
    let rig = Rig::new();
    let model = base(&rig, "say 0 \"a\\xffb\"\nsay 1 \"a\\xffb\"\n", "", &["-C", "bp.terminal_1.mode=raw"]);
    let (telnet, raw) = (model.connect("terminal_0"), model.connect("terminal_1"));
    telnet.seen.expect_bytes(10);
    assert_eq!(telnet.seen.bytes(), b"\xff\xfb\x01\xff\xfb\x03a\xff\xffb");
    raw.seen.expect_bytes(3);
    assert_eq!(raw.seen.bytes(), b"a\xffb");
}

#[test]
fn what_a_terminal_sends_first_can_be_chosen() {
    for (choice, count) in [("qemu", 12), ("none", 0), ("chatty", 33)] {
        let rig = Rig::new();
        let model = base(&rig, "say 0 \"x\"\n", &format!("negotiation={choice}"), &[]);
        let client = model.connect("terminal_0");
        client.seen.expect_bytes(count + 1);
        assert_eq!(client.seen.bytes().last(), Some(&b'x'));
        assert_eq!(client.seen.len(), count + 1, "{choice}");
    }
}

#[test]
fn what_is_typed_reaches_the_guest_without_the_telnet_commands() {
    let rig = Rig::new();
    let script = "echo 0 off\nexpect 0 \"root\\r\"\nsay 0 \"welcome\\r\\n\"\n";
    let model = base(&rig, script, "", &[]);
    let mut client = model.connect("terminal_0");
    client.send(b"ro\xff\xfd\x01\xff\xfa\x18\x00vt\xff\xf0ot\r\0");
    client.expect("welcome");
}

#[test]
fn output_before_the_first_client_is_kept_or_lost() {
    for (policy, kept) in [("keep", true), ("lose", false)] {
        let rig = Rig::new();
        let script = "say 0 \"early\"\nprint \"said\\n\"\nexpect 0 \"x\"\nsay 0 \"late\"\n";
        let model = base(&rig, script, &format!("unconnected={policy}"), &[]);
        model.stdout.expect("said");
        // The bytes are under way inside for a moment after the guest said them.
        model.stdout.settled();
        let mut client = model.connect("terminal_0");
        client.send(b"x");
        client.expect("late");
        assert_eq!(client.seen.text().contains("early"), kept, "{policy}");
    }
}

#[test]
fn an_unread_terminal_stops_the_guest_and_reading_frees_it() {
    let rig = Rig::new();
    let script = "flood 1 4MiB\nprint \"flooded\\n\"\nsay 0 \"alive\"\n";
    let model = base(&rig, script, "uart_buffer=4096", &[]);
    let zero = model.connect("terminal_0");
    assert_eq!(zero.seen.settled(), 6, "the guest went on: {}", zero.seen.text());
    assert!(!model.stdout.text().contains("flooded"));
    let one = model.connect("terminal_1");
    zero.expect("alive");
    one.seen.expect_bytes((4 << 20) + 6);
}

#[test]
fn an_unread_pipe_stops_the_guest_too() {
    let rig = Rig::new();
    let script = rig.file("guest.script", "repeat 0 2000 \"tick %\\r\\n\"\nsay 0 \"done\"\n");
    let base = quiet("bp");
    let line = words(&base, &[]);
    let knobs = format!("guest=script:{script},stdout_flood=1MiB,uart_buffer=1MiB");
    let (model, mut pipe) = Model::spawn_unread(rig.command(BASE, &knobs, &line));
    // The first announcement is read; then nobody reads any more.
    let mut head = Vec::new();
    while !head.ends_with(b"\n") {
        let mut byte = [0];
        pipe.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let text = String::from_utf8(head).unwrap();
    let port: u16 = text.lines().next().unwrap().rsplit(' ').next().unwrap().parse().unwrap();
    let client = Client::connect(port);
    client.seen.settled();
    assert!(!client.seen.text().contains("done"), "the guest went on");
    model.read_stdout(pipe);
    client.expect("done");
}

#[test]
fn output_into_a_pipe_comes_in_blocks_unless_stdbuf_says_otherwise() {
    for (stdbuf, expected) in [(None, false), (Some("L"), true)] {
        let rig = Rig::new();
        let base = quiet("bp");
        let mut command = rig.command(BASE, "", &words(&base, &[]));
        command.env("MODEL_STANDIN", "guest=none,die_with_parent=1");
        if let Some(mode) = stdbuf {
            command.env("_STDBUF_O", mode);
        }
        let model = Model::spawn(command);
        assert_eq!(model.stdout.settled() > 0, expected, "{stdbuf:?}: {}", model.stdout.text());
        let ended = model.stop(rustix::process::Signal::TERM);
        assert!(ended.stdout.contains("terminal_3: Listening"), "{ended:?}");
    }
}

#[test]
fn the_second_client_waits_in_silence_or_is_turned_away() {
    let rig = Rig::new();
    let model = base(&rig, "say 0 \"hello\"\nexpect 0 \"x\"\nsay 0 \"again\"\n", "", &[]);
    let first = model.connect("terminal_0");
    first.expect("hello");
    let mut second = model.connect("terminal_0");
    assert_eq!(second.seen.settled(), 0);
    drop(first);
    second.send(b"x");
    second.expect("again");
    let refusing = base(&rig, "say 0 \"hello\"\n", "second_client=refuse", &[]);
    let first = refusing.connect("terminal_0");
    first.expect("hello");
    refusing.connect("terminal_0").seen.expect_end();
}

#[test]
fn a_client_that_goes_is_followed_by_another_on_the_same_port_or_the_next() {
    let rig = Rig::new();
    let script = "say 0 \"one\"\nexpect 0 \"x\"\nsay 0 \"two\"\n";
    let model = base(&rig, script, "", &[]);
    model.connect("terminal_0").expect("one");
    let mut again = model.connect("terminal_0");
    again.send(b"x");
    again.expect("two");
    let shifting = base(&rig, script, "reopen_shift=1", &[]);
    let before = shifting.ports(4);
    shifting.connect("terminal_0").expect("one");
    let after = shifting.ports(5);
    let port = after.last().unwrap().1;
    assert_ne!(port, before[0].1);
    let mut again = Client::connect(port);
    again.send(b"x");
    again.expect("two");
}

#[test]
fn a_client_is_dropped_in_the_middle_and_may_come_back() {
    let rig = Rig::new();
    let model = base(
        &rig,
        "repeat 0 1000 \"line %\\r\\n\"\nexpect 0 \"x\"\nsay 0 \"end\"\n",
        "drop_client=0:3000",
        &[],
    );
    let first = model.connect("terminal_0");
    first.seen.expect_end();
    assert!(first.seen.len() >= 3000);
    let mut second = model.connect("terminal_0");
    second.expect("line 1000");
    second.send(b"x");
    second.expect("end");
}

#[test]
fn somebody_else_may_have_the_slot() {
    let rig = Rig::new();
    let model = base(&rig, "repeat 0 100 \"line %\\r\\n\"\nprint \"said\\n\"\n", "steal=0", &[]);
    model.stdout.expect("said");
    assert_eq!(model.connect("terminal_0").seen.settled(), 0);
    assert!(model.connect("terminal_1").seen.settled() > 0);
}

#[test]
fn a_flood_on_one_terminal_loses_nothing_on_another() {
    let rig = Rig::new();
    let model = base(&rig, "repeat 1 3000 \"result %\\r\\n\"\nsay 1 \"complete\"\n", "flood=0:64MiB", &[]);
    let (flooded, results) = (model.connect("terminal_0"), model.connect("terminal_1"));
    results.expect("complete");
    flooded.seen.expect_bytes(64 << 20);
    let text = results.seen.text();
    let complete = (1..=3000).all(|number| text.contains(&format!("result {number}\r\n")));
    assert!(complete, "a result is missing");
}

#[test]
fn typing_too_fast_loses_characters() {
    let rig = Rig::new();
    let model = base(&rig, "say 0 \"ready\"\n", "overrun=1", &["-C", "bp.terminal_0.mode=raw"]);
    let mut client = model.connect("terminal_0");
    client.expect("ready");
    client.send(&[b'k'; 500]);
    let echoed = client.seen.settled() - "ready".len();
    assert!((16..400).contains(&echoed), "{echoed} of 500");
}

#[test]
fn line_ends_may_come_doubled() {
    let rig = Rig::new();
    let model = base(&rig, "say 0 \"a\\r\\nb\"\n", "double_cr=1", &[]);
    model.connect("terminal_0").expect("a\r\r\nb");
}

#[test]
fn a_command_of_the_users_is_told_port_and_title() {
    let rig = Rig::new();
    let line = [
        "-C",
        "bp.terminal_0.start_telnet=1",
        "-C",
        "bp.terminal_0.terminal_command=echo %title is at %port",
    ];
    let base = quiet("bp");
    let model = rig.script(BASE, "halt\n", "", &words(&base, &line));
    let port = model.ports(4)[0].1;
    model.stdout.expect(&format!("terminal_0 is at {port}"));
}

#[test]
fn without_xterm_the_shell_complains_and_the_model_goes_on() {
    let rig = Rig::new();
    let empty = rig.path("empty");
    std::fs::create_dir(&empty).unwrap();
    let shell = std::path::Path::new("/bin/sh").canonicalize().unwrap();
    std::os::unix::fs::symlink(shell, empty.join("sh")).unwrap();
    let mut command = rig.command(VE, "guest=none", &[]);
    command.env("PATH", &empty);
    let model = Model::spawn(command);
    model.stdout.expect("Visualisation setup failed");
    model.stderr.expect("xterm: not found");
    let client = model.connect("terminal_0");
    client.seen.expect_bytes(6);
}

#[test]
fn a_telnet_that_the_model_starts_takes_the_only_slot() {
    let rig = Rig::new();
    let bin = rig.path("bin");
    std::fs::create_dir(&bin).unwrap();
    // Stands for an xterm with telnet in it: connects, and says that it did.
    let xterm = bin.join("xterm");
    std::fs::write(
        &xterm,
        "#!/bin/bash\nexec 3<>/dev/tcp/127.0.0.1/${@: -1}\nhead -c 11 <&3 >&2\nread -u 3 never\n",
    )
    .unwrap();
    std::os::unix::fs::chown(&xterm, None, None).unwrap();
    std::fs::set_permissions(&xterm, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let script = rig.file("guest.script", "say 0 \"hello\"\n");
    let line = [
        "-C",
        "motherboard.terminal_1.start_telnet=0",
        "-C",
        "motherboard.terminal_2.start_telnet=0",
        "-C",
        "motherboard.terminal_3.start_telnet=0",
        "-C",
        "motherboard.vis.disable_visualisation=1",
    ];
    let mut command = rig.command(VE, &format!("guest=script:{script}"), &line);
    let path = std::env::var("PATH").unwrap();
    command.env("PATH", format!("{}:{path}", bin.display()));
    let model = Model::spawn(command);
    model.stderr.expect("hello");
    assert_eq!(model.connect("terminal_0").seen.settled(), 0);
}

#[test]
fn a_uart_copies_to_a_file_and_types_from_one() {
    let rig = Rig::new();
    rig.file("typed", "root\n");
    let line = [
        "-C",
        "bp.pl011_uart0.out_file=copy",
        "-C",
        "bp.pl011_uart0.unbuffered_output=1",
        "-C",
        "bp.pl011_uart0.in_file=typed",
        "-C",
        "bp.pl011_uart1.out_file=-",
    ];
    let model =
        base(&rig, "expect 0 \"root\"\nsay 0 \"welcome\\r\\n\"\nsay 1 \"to stdout\\r\\n\"\n", "", &line);
    model.stdout.expect("to stdout\r\n");
    model.connect("terminal_0").expect("welcome");
    assert!(std::fs::read_to_string(rig.path("copy")).unwrap().contains("welcome"));
}

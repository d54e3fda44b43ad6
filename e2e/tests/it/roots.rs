//! Root file systems that are not an initramfs: one over NFS, and one that an installer makes.

use std::{path::Path, time::Duration};

use e2e::{Guest, Job, Results, Sandbox, need};
use pumice_image::{
    Compression, Limits, Tree,
    compression::{decode, encode},
    cpio::{
        self,
        initramfs::{self, Placement},
    },
    fat, tar,
};
use pumice_types::ByteSize;

const LIMIT: Duration = Duration::from_secs(290);

/// Mounts what the kernel is told is its root, and goes on there.
const NFS_INIT: &str = r#"#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
for round in 1 2 3; do modprobe -a -q $(cat /sys/bus/*/devices/*/modalias 2>/dev/null | sort -u); done
modprobe -q nfsv3
for interface in /sys/class/net/e*; do
    ip link set "${interface##*/}" up
    udhcpc -i "${interface##*/}" -f -n -q -s /etc/udhcpc
done
for word in $(cat /proc/cmdline); do
    case $word in nfsroot=*) root=${word#nfsroot=} ;; esac
done
mkdir -p /new
mount -t nfs -o "${root#*,},nolock" "${root%%,*}" /new
exec switch_root /new /init
"#;

/// Takes its answers and writes the system to the first disk.
const INSTALLER: &str = r"#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
for round in 1 2 3; do modprobe -a -q $(cat /sys/bus/*/devices/*/modalias 2>/dev/null | sort -u); done
grep -q 'd-i answer yes' /preseed.cfg || { echo 'nobody answers'; sleep 600; }
echo installing
cat /system.img > /dev/vda && sync && echo installed
reboot -f
";

/// The guest's initramfs with another first process, and what else belongs to it.
fn initramfs(guest: &Guest, init: &str, more: Tree, path: &Path) {
    std::fs::copy(guest.initrd(), path).unwrap();
    let mut tree = more;
    tree.file("init", 0o755, init.as_bytes()).unwrap();
    initramfs::append(path, &tree, Some(Compression::Gzip), Placement::OwnDirectories).unwrap();
}

/// The job with other blocks in front of its tests.
pub(crate) fn with_blocks(text: &str, context: &str, blocks: &str) -> String {
    let (head, rest) = text.split_once("context: ").unwrap();
    let (_, test) = rest.split_once("- test:\n").unwrap();
    format!("{head}context: {context}\nactions:\n{blocks}- test:\n{test}")
}

#[track_caller]
fn run(sandbox: &Sandbox, job: &str) -> Results {
    let path = sandbox.write("job.yaml", job);
    let finished = sandbox.pumice(["run", "-q", "-o", "out", path.to_str().unwrap()], LIMIT);
    let results = Results::read(&sandbox.path().join("out"));
    assert_eq!(results.failure(), None, "{}", finished.stderr);
    sandbox.is_empty_within(Duration::from_secs(2));
    results
}

/// The blocks that boot the guest on its own root, which is served over NFS, with `more` in the boot block.
pub(crate) fn nfs_blocks(sandbox: &Sandbox, guest: &Guest, kernel: &Path, more: &str) -> String {
    let initrd = sandbox.path().join("initrd");
    initramfs(guest, NFS_INIT, Tree::new(), &initrd);
    let packed = std::fs::File::open(guest.initrd()).unwrap();
    let unpacked = decode(Compression::Gzip, packed).unwrap();
    let tree = cpio::Reader::new(unpacked, Limits::default()).into_tree().unwrap();
    let archive = sandbox.path().join("root.tar.gz");
    let mut encoder = encode(Some(Compression::Gzip), std::fs::File::create(&archive).unwrap()).unwrap();
    tar::write(&tree, &mut encoder).unwrap();
    encoder.finish().unwrap();
    let file = |label: &str, path: &Path, more: &str| {
        format!("      {label}: {{url: 'file://{}'{more}}}\n", path.display())
    };
    format!(
        "- deploy:\n    to: nfs\n    os: oe\n    images:\n{}{}{}\
         - boot:\n    method: qemu-nfs\n    timeout: {{minutes: 4}}\n{more}    prompts: ['root@guest:~#']\n    \
         auto_login: {{login_prompt: 'guest login:', username: root}}\n",
        file("nfsrootfs", &archive, ", compression: gz"),
        file("kernel", kernel, ", image_arg: '-kernel {kernel}'"),
        file("initrd", &initrd, ", image_arg: '-initrd {initrd}'"),
    )
}

#[test]
fn a_guest_lives_on_a_root_over_nfs() {
    let guest = need!(Guest::find("arm64"));
    let sandbox = Sandbox::new();
    let job = Job::arm64(&guest).steps(&[
        "lava-test-case root --shell grep -q \" / nfs .*vers=3\" /proc/mounts",
        "cd /root",
        "lava-test-case written --shell \"echo one > f && echo two >> f && grep -q two f\"",
        "lava-test-case changed --shell \"echo new >> /etc/profile && grep -q new /etc/profile\"",
        "lava-test-case named --shell \"ln f g && mv g h && rm f && grep -q one h && ln -s h l && grep -q two l\"",
        "lava-test-case made --shell \"mkdir d && mknod d/null c 1 3 && echo > d/null && mkfifo d/p && test -p d/p\"",
        "lava-test-case gone --shell \"rm -r d && ! test -e d && ! rmdir /etc 2>/dev/null\"",
        "lava-test-case large --shell \"dd if=/dev/zero of=z bs=1M count=3 && wc -c z | grep -qw 3145728\"",
        "lava-test-case owned --shell \"chown 7:8 h && chmod 640 h && stat -c %u:%g:%a h | grep -qx 7:8:640\"",
    ]);
    let blocks = nfs_blocks(&sandbox, &guest, &guest.kernel(), "");
    let results = run(&sandbox, &with_blocks(&job.text(), "{arch: arm64, memory: 512M}", &blocks));
    let cases = ["root", "written", "changed", "named", "made", "gone", "large", "owned"];
    assert_eq!(results.tests(), cases.map(|case| format!("0_cases/{case} pass")));
}

/// An ISO 9660 image with these files in its root (ECMA-119, 8.4 and 9.1), without Rock Ridge.
fn iso(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    const SECTOR: usize = 2048;
    let record = |name: &[u8], sector: usize, bytes: usize, flags: u8| {
        let mut record = vec![0; 33];
        record[2..6].copy_from_slice(&u32::try_from(sector).unwrap().to_le_bytes());
        record[10..14].copy_from_slice(&u32::try_from(bytes).unwrap().to_le_bytes());
        record[25] = flags;
        record[32] = u8::try_from(name.len()).unwrap();
        record.extend_from_slice(name);
        record.resize(record.len().next_multiple_of(2), 0);
        record[0] = u8::try_from(record.len()).unwrap();
        record
    };
    let own = |name| record(&[name], 18, SECTOR, 2);
    let mut directory = [own(0), own(1)].concat();
    let mut contents = Vec::new();
    for (name, bytes) in files {
        directory.extend(record(name.as_bytes(), 19 + contents.len() / SECTOR, bytes.len(), 0));
        contents.extend_from_slice(bytes);
        contents.resize(contents.len().next_multiple_of(SECTOR), 0);
    }
    directory.resize(SECTOR, 0);
    let mut descriptor = b"\x01CD001\x01".to_vec();
    descriptor.resize(SECTOR, 0);
    descriptor[156..190].copy_from_slice(&own(0));
    let mut end = b"\xffCD001\x01".to_vec();
    end.resize(SECTOR, 0);
    [vec![0; 16 * SECTOR], descriptor, end, directory, contents].concat()
}

#[test]
fn an_installer_makes_a_system_that_boots_and_is_tested() {
    const FIRMWARE: &str = "/usr/share/qemu-efi-aarch64/QEMU_EFI.fd";
    let guest = need!(Guest::find("arm64"));
    need!(if Path::new(FIRMWARE).exists() { Ok(()) } else { Err(e2e::Missing::set_up(FIRMWARE)) });
    let sandbox = Sandbox::new();
    // What is installed: a kernel that UEFI starts with its own arguments.
    let mut system = Tree::new();
    system.file("linux.efi", 0o644, std::fs::read(guest.kernel()).unwrap()).unwrap();
    system.file("initrd.gz", 0o644, std::fs::read(guest.initrd()).unwrap()).unwrap();
    let script = "fs0:\\linux.efi initrd=\\initrd.gz console=ttyAMA0 installed-system\r\n";
    system.file("startup.nsh", 0o644, script.as_bytes()).unwrap();
    let disk = sandbox.path().join("system.img");
    fat::create(&disk, &system, "SYSTEM", ByteSize(1 << 20)).unwrap();
    let mut payload = Tree::new();
    payload.file("system.img", 0o644, std::fs::read(&disk).unwrap()).unwrap();
    let ramdisk = sandbox.path().join("installer");
    initramfs(&guest, INSTALLER, payload, &ramdisk);
    let files = [
        ("VMLINUZ.;1", std::fs::read(guest.kernel()).unwrap()),
        ("INITRD.GZ;1", std::fs::read(&ramdisk).unwrap()),
    ];
    let image = sandbox.write("installer.iso", iso(&files));
    let preseed = sandbox.write("answers.cfg", "d-i answer yes\n");
    let job = Job::arm64(&guest)
        .steps(&["lava-test-case installed --shell grep -qw installed-system /proc/cmdline"]);
    let blocks = format!(
        "- deploy:\n    to: iso-installer\n    os: debian_installer\n    images:\n      \
         iso: {{url: 'file://{}', image_arg: '-drive file={{iso}},if=virtio,media=cdrom,readonly=on,format=raw'}}\n      \
         preseed: {{url: 'file://{}'}}\n    \
         iso: {{kernel: /vmlinuz, initrd: /initrd.gz, installation_size: 100M}}\n\
         - boot:\n    method: qemu-iso\n    media: img\n    timeout: {{minutes: 4}}\n    prompts: ['root@guest:~#']\n    \
         auto_login: {{login_prompt: 'guest login:', username: root}}\n",
        image.display(),
        preseed.display()
    );
    let context =
        format!("{{arch: arm64, memory: 1024M, no_network: true, extra_options: ['-bios', '{FIRMWARE}']}}");
    let results = run(&sandbox, &with_blocks(&job.text(), &context, &blocks));
    assert_eq!(results.tests(), ["0_cases/installed pass"]);
    let cases = results.cases();
    assert!(cases.contains(&"lava/monitor-installer-connection pass".to_owned()), "{cases:?}");
}

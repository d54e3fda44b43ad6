#!/bin/sh
# A stand-in for a container engine, for tests: called `docker` or `podman` it is the client, with `daemon STATE` the
# engine. What runs in a container runs in mount and process namespaces of its own, with this host's programs as its
# image and the mounts it was given, and, as with a real engine, as a child of the engine: killing the client does not
# end it. It takes the words that pumice uses and refuses all others.
#
#   STATE/registry/IMAGE/          an image that can be pulled; `/` and `:` of its name are `_`
#   STATE/registry/IMAGE/mounts    what is in it beside this host's programs: SOURCE and TARGET in each line
#   STATE/registry/IMAGE/private   there when it can be pulled only after a login
#   STATE/images/IMAGE             an image that was pulled
#   STATE/containers/NAME/         a container that runs
#   STATE/projects/NAME/           a composition whose services run
#   STATE/calls                    every call of the client
set -u
program=$(basename "$0")

fail() { # STATUS TEXT
    echo "$2" >&2
    exit "$1"
}

daemon() {
    mkdir -p "$state/images" "$state/containers" "$state/registry"
    mkfifo "$state/requests"
    echo $$ > "$state/pid"
    exec 3<> "$state/requests"
    echo "the engine is ready"
    while read -r name <&3; do
        begin "$state/containers/$name" &
    done
}

# A container from its first process to its exit status. Its streams are the client's own.
begin() { # BOX
    read -r client < "$1/client"
    own=--mount
    [ "$(id -u)" = 0 ] || own="--user --map-root-user --mount"
    # What a shell starts in the background ignores SIGINT, and a shell cannot undo that.
    # shellcheck disable=SC2086 # words
    setsid --wait env --default-signal unshare $own --pid --fork "$0" init "$1" \
        < "/proc/$client/fd/0" > "/proc/$client/fd/1" 2> "/proc/$client/fd/2" 3<&-
    echo $? > "$1/status.new"
    mv "$1/status.new" "$1/status"
}

# The first process inside: makes the root, starts the command, passes signals on.
init() { # BOX
    box=$1
    root=$box/root
    read -r own _ < /proc/self/stat
    echo "$own" > "$box/pid"
    mount --make-rprivate /
    mount -t tmpfs image "$root"
    for path in /bin /sbin /lib /lib32 /lib64 /libx32 /usr /etc; do
        if [ -L "$path" ]; then
            cp -P "$path" "$root$path"
        elif [ -d "$path" ]; then
            mkdir "$root$path" && mount --rbind "$path" "$root$path"
        fi
    done
    mkdir -p "$root/dev" "$root/proc" "$root/tmp" "$root/root" "$root/opt" "$root/var/tmp"
    mount --rbind /dev "$root/dev"
    mount -t proc proc "$root/proc" 2> /dev/null || mount --rbind /proc "$root/proc"
    while IFS='	' read -r source target mode; do
        if [ -d "$source" ]; then
            mkdir -p "$root$target"
        else
            mkdir -p "$(dirname "$root$target")" && : > "$root$target"
        fi
        mount --bind "$source" "$root$target" || exit 125
        [ "$mode" != ro ] || mount -o remount,bind,ro "$root$target"
    done < "$box/mounts"
    exec 4<&0
    trap 'kill -INT "$child"' INT
    trap 'kill -TERM "$child"' TERM
    . "$box/command" <&4 4<&- &
    child=$!
    while kill -0 "$child" 2> /dev/null; do
        wait "$child"
        status=$?
    done
    exit "$status"
}

# The words, quoted for a shell.
quoted() {
    for word in "$@"; do
        printf "'%s' " "$(printf '%s' "$word" | sed "s/'/'\\\\''/g")"
    done
}

file_of() { # IMAGE
    printf '%s' "$1" | tr '/:' '__'
}

run() {
    name='' directory=/ image='' variables=''
    box=$(mktemp -d "$state/new.XXXXXX")
    : > "$box/mounts"
    tab=$(printf '\t')
    while [ $# -gt 0 ]; do
        case $1 in
            --rm | --init | --interactive | --tty | --privileged | --pull=never) ;;
            --name) name=$2; shift ;;
            --label | --hostname | --device | --network | --cpus | --memory | --cap-add) shift ;;
            --env)
                case $2 in
                    *=*) variables="$variables $(quoted "$2")" ;;
                    *) variables="$variables $(quoted "$2=$(printenv "$2")")" ;;
                esac
                shift ;;
            --workdir) directory=$2; shift ;;
            --mount)
                source=$(printf '%s' "$2" | sed 's/.*,source=\([^,]*\).*/\1/')
                target=$(printf '%s' "$2" | sed 's/.*,target=\([^,]*\).*/\1/')
                mode=rw
                case $2 in *,readonly) mode=ro ;; esac
                echo "$source$tab$target$tab$mode" >> "$box/mounts"
                shift ;;
            --volume)
                echo "$2" | sed "s/:/$tab/g" >> "$box/mounts"
                shift ;;
            -*) rm -r "$box"; fail 125 "unknown flag: $1" ;;
            *) image=$1; shift; break ;;
        esac
        shift
    done
    known=$state/images/$(file_of "$image")
    if [ ! -e "$known" ]; then
        rm -r "$box"
        fail 125 "$program: Error response from daemon: No such image: $image."
    fi
    [ ! -e "$known/mounts" ] || cat "$known/mounts" >> "$box/mounts"
    mkdir "$box/root"
    echo $$ > "$box/client"
    {
        echo "chroot $(quoted "$box/root") /bin/sh -c 'command -v \"\$1\" > /dev/null' sh $(quoted "$1") || {"
        echo "    echo $(quoted "[FATAL tini (7)] exec $1 failed: No such file or directory") >&2"
        echo "    exit 127"
        echo "}"
        path=PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
        echo "exec env --default-signal chroot $(quoted "$box/root") env -i -C $(quoted "$directory") HOME=/root $path $variables $(quoted "$@")"
    } | sed "s|$box|$state/containers/$name|g" > "$box/command"
    mv "$box" "$state/containers/$name" || fail 125 "$program: Error response from daemon: Conflict. The name $name is in use."
    box=$state/containers/$name
    trap 'kill -INT "$(cat "$box/pid")"' INT
    trap 'kill -TERM "$(cat "$box/pid")"' TERM
    # In a process of its own: the engine opens our streams, which a shell moves aside while it redirects its own.
    (echo "$name" > "$state/requests")
    while [ ! -e "$box/status" ]; do
        [ -d "$box" ] || exit 137
        sleep 0.02 &
        wait $!
    done
    read -r status < "$box/status"
    rm -rf "$box"
    exit "$status"
}

# Another process in a container that runs: in its namespaces, with its root.
beside() {
    while :; do
        case $1 in
            --interactive | --tty) shift ;;
            -*) fail 125 "unknown flag: $1" ;;
            *) break ;;
        esac
    done
    box=$state/containers/$1
    shift
    [ -e "$box/pid" ] || fail 1 "Error response from daemon: No such container: $(basename "$box")"
    pid=$(cat "$box/pid")
    own=
    [ "$(id -u)" = 0 ] || own="--user --preserve-credentials"
    # shellcheck disable=SC2086 # words
    exec nsenter $own --target "$pid" --mount --pid -- chroot "$box/root" env -i -C / HOME=/root \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
}

remove() { # NAME
    box=$state/containers/$1
    [ -d "$box" ] || fail 1 "Error response from daemon: No such container: $1"
    while [ ! -e "$box/status" ] && [ -d "$box" ]; do
        [ ! -e "$box/pid" ] || kill -KILL "$(cat "$box/pid")" 2> /dev/null
        sleep 0.02
    done
    rm -rf "$box"
    echo "$1"
}

pull() { # CONFIG IMAGE
    wanted=$state/registry/$(file_of "$2")
    [ -d "$wanted" ] || fail 1 "Error response from daemon: manifest for $2 not found: manifest unknown"
    if [ -e "$wanted/private" ] && [ ! -e "$1/logged-in" ]; then
        fail 1 "Error response from daemon: pull access denied for $2: denied: requested access is denied"
    fi
    cp -r "$wanted" "$state/images/$(file_of "$2")"
    echo "Status: Downloaded newer image for $2"
}

log_in() { # CONFIG
    read -r password
    [ "$password" = open-sesame ] || fail 1 "Error response from daemon: unauthorized: incorrect username or password"
    : > "$1/logged-in"
    echo "Login Succeeded"
}

# A composition: what its file says is kept, and printed by the service that it would be.
compose() {
    [ "$1" != version ] || { echo "Compose 2.0-stand-in"; return; }
    [ "$1 $3" = '--project-name --file' ] || fail 125 "unknown flag: $*"
    project=$state/projects/$2 file=$4
    shift 4
    [ -f "$file" ] || fail 14 "open $file: no such file or directory"
    case $* in
        up\ --detach*)
            case "$(cat "$file")" in *refuse-to-start*) fail 1 "dependency failed to start" ;; esac
            mkdir -p "$project" && cp "$file" "$project/file"
            echo "${3-all} of $(basename "$file") in $PWD" > "$project/said"
            echo " Container started" >&2 ;;
        logs) cat "$project/said" ;;
        'down --volumes --timeout 10') rm -rf "$project" ;;
        *) fail 125 "unknown command: $*" ;;
    esac
}

case ${1-} in
    daemon) state=$2; daemon ;;
    init) shift; init "$@" ;;
esac
state=$(dirname "${DOCKER_HOST#unix://}")
[ ! -d "$state" ] || echo "$program $*" >> "$state/calls"
if [ ! -p "$state/requests" ] || ! kill -0 "$(cat "$state/pid")" 2> /dev/null; then
    fail 1 "Cannot connect to the Docker daemon at ${DOCKER_HOST-unix:///var/run/docker.sock}. Is the docker daemon running?"
fi
config=${HOME-/root}/.docker
[ "${1-}" != --config ] || { config=$2; shift 2; }
verb=$1
shift
case $verb in
    version | info) echo "1.0-stand-in" ;;
    run) run "$@" ;;
    exec) beside "$@" ;;
    rm)
        [ "$1 $2" = '--force --volumes' ] || fail 125 "unknown flag: $*"
        remove "$3" ;;
    login) log_in "$config" ;;
    compose) compose "$@" ;;
    pull)
        [ "$1" != --authfile ] || { config=$(dirname "$2"); shift 2; }
        pull "$config" "$1" ;;
    image)
        [ -e "$state/images/$(file_of "$4")" ] || fail 1 "Error response from daemon: No such image: $4"
        echo "sha256:$(file_of "$4")" ;;
    *) fail 125 "$program: '$verb' is not a docker command." ;;
esac

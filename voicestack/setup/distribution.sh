# shellcheck shell=bash
# Distribution packages: which are missing, and one apt-get that installs just those. Sourced by bootstrap.sh.

# What the stack needs of the distribution, and what for. redis-tools instead of redis-server: its
# redis-check-rdb is the whole server (voicestack/setup/redis_server.py), and no service takes port 6379.
PACKAGES="gcc libc6-dev pkg-config libopus-dev libopusfile-dev libsoxr-dev redis-tools ca-certificates"
# What tests need besides: a browser, its store of trusted authorities, machines and firewalls made of
# namespaces, an engine for compose.yaml, Debian's packages as its images, voices of voicemails, a
# registrar and a softphone.
DEV_PACKAGES="chromium libnss3-tools iproute2 iptables nftables docker.io mmdebstrap espeak-ng flite kamailio baresip-core"
# With REGISTRAR=on softphones register: voicestack/native/services.py, `registrar`.
REGISTRAR_PACKAGES="kamailio"
# Another apt (a machine that has just booted updates itself) is waited for this long.
LOCK_WAIT_S=300

fail() { # what was seen, then what to do
    printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
    exit 1
}

# Print the packages that are not installed. A Python that is new enough and a uv need no package.
missing_packages() { # --dev: also what tests need
    local wanted="$PACKAGES" package
    [ "${1:-}" != --dev ] || wanted="$wanted $(dev_packages)"
    [ "$(registrar_setting)" != on ] || wanted="$wanted $REGISTRAR_PACKAGES"
    # Not a Debian: the steps that build tell which header or program they lack.
    command -v dpkg-query >/dev/null || return 0
    command -v uv >/dev/null || wanted="$wanted python3 python3-venv"
    for package in $wanted; do
        [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
            printf '%s ' "$package"
    done
}

# REGISTRAR as voicestack.settings reads it, before there is a Python of ours.
registrar_setting() {
    local written
    written="$([ ! -f .env ] || sed -n 's/^REGISTRAR=//p' .env | tr -d "\"' ")"
    printf '%s' "${REGISTRAR:-$written}"
}

# Ubuntu's chromium is a snap, which no container or CI can run: the tests of the page skip themselves.
# Since Debian 13 the client of docker.io is a package of its own.
dev_packages() {
    case "$(. /etc/os-release 2>/dev/null && echo "$ID-${VERSION_ID:-}")" in
        debian-12) printf '%s' "$DEV_PACKAGES" ;;
        debian-*) printf '%s' "$DEV_PACKAGES docker-cli" ;;
        *) printf '%s' "${DEV_PACKAGES#chromium }" ;;
    esac
}

# Run apt-get as root, without questions.
apt_get() {
    local root=()
    if [ "$(id -u)" != 0 ]; then
        root=(sudo)
        [ -t 0 ] || root=(sudo -n) # nobody is there to type a password
    fi
    local command=("${root[@]}" env DEBIAN_FRONTEND=noninteractive
        apt-get -y -o "DPkg::Lock::Timeout=$LOCK_WAIT_S" "$@")
    # A log needs no four hundred lines about unpacking; errors are on stderr.
    if [ -t 1 ]; then "${command[@]}"; else "${command[@]}" >/dev/null; fi
}

# DPkg::Lock::Timeout does not cover the lock of the package lists (apt 2.6), so this waits itself.
update_lists() {
    local tries=0
    until apt_get update; do
        tries=$((tries + 1))
        [ "$tries" -lt 3 ] || return 1
        echo "apt-get update failed; again in 10 s" >&2
        sleep 10
    done
}

# Debian would start a Kamailio of its own at once, on port 5060, which is livekit-sip's.
keep_service_off() { # names
    case " $* " in *" kamailio "*) ;; *) return 0 ;; esac
    command -v systemctl >/dev/null || return 0
    local root=()
    [ "$(id -u)" = 0 ] || root=(sudo)
    "${root[@]}" systemctl --quiet mask kamailio.service
}

install_packages() { # names
    local by_hand="sudo apt-get update && sudo apt-get install --no-install-recommends $*"
    if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
        fail "not root and no sudo, and these packages are missing: $*" "as root: ${by_hand//sudo /}"
    fi
    # Lists fetched within a day that know every name are good enough. The folder tells when: the
    # files in it carry the time of the server.
    if [ -z "$(find /var/lib/apt/lists -maxdepth 0 -mtime -1)" ] ||
        ! apt-get -qq --simulate install --no-install-recommends "$@" >/dev/null 2>&1; then
        update_lists || fail "apt-get update failed" "$by_hand"
    fi
    keep_service_off "$@"
    apt_get install --no-install-recommends "$@" || fail "apt-get could not install: $*" "$by_hand"
}

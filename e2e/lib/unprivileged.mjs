/** An ordinary user, and a /dev/net/tun that he may open, whatever the machine's own permits. */
export const USER = 'nobody';
export const UID = 65_534;

/** Words before a command: run as that user. */
export function asUser({ shell = [] } = {}) {
  return ['setpriv', `--reuid=${UID}`, `--regid=${UID}`, '--clear-groups', ...shell];
}

/**
 * Words before a command: a mount namespace of its own in which anybody may open /dev/net/tun, or nobody
 * can because there is none.
 */
export function withTun(mode = '0666') {
  const node = mode === null ? '' : 'mknod /dev/net/tun c 10 200; chmod "$0" /dev/net/tun;';
  // The directory is replaced: the device node of the machine stays as it is.
  const script = `set -e; mount --make-rprivate /; mkdir -p /dev/net; mount -t tmpfs none /dev/net; ${node} exec "$@"`;
  return ['unshare', '-m', '/bin/sh', '-c', script, mode ?? ''];
}

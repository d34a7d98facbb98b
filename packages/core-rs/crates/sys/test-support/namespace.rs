//! Runs a test in a network namespace of its own: a tap of a test is seen by nobody else.
//!
//! The test's own binary is started again under unshare(1), with this one test. It ends, and the kernel
//! takes the namespace and all in it away, however the test ends.

use std::process::Command;

const INSIDE: &str = "NETCON_TEST_INSIDE_NAMESPACE";

/// Runs `body` inside a namespace. `test` is the test's full path, `module::tests::name`.
///
/// # Panics
///
/// If `body` fails, or if there is no way to make a namespace: a test that cannot run has not passed.
pub(crate) fn in_namespace(test: &str, body: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        return body();
    }
    let binary = std::env::current_exe().expect("the test binary's path");
    let output = Command::new("unshare")
        .args([namespace_option(), "--"])
        .arg(binary)
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1")
        .output()
        .expect("unshare(1) starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{test} in its namespace: {}\n{text}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr),
    );
}

/// As root a network namespace; for others one inside a user namespace.
fn namespace_option() -> &'static str {
    ["-n", "-Urn"]
        .into_iter()
        .find(|option| {
            Command::new("unshare")
                .args([option, "true"])
                .output()
                .is_ok_and(|output| output.status.success())
        })
        .expect("this test needs root, or user namespaces for ordinary users, and unshare(1)")
}

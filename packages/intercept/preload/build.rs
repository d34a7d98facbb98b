//! Links the library against nothing.
//!
//! Its few undefined symbols (`__errno_location`, `memcpy`, and weak ones such as `dlsym`) are found
//! in the libc that the program has already loaded, so the library carries no `DT_NEEDED` entry and
//! can be preloaded into programs of any libc. scripts/check-library.sh verifies the result.

fn main() {
    for arg in [
        "-nostdlib",
        "-nostartfiles",
        // As a module of glibc's name service switch, src/hooks/nss.rs.
        "-Wl,-soname,libnss_netcon.so.2",
        // Never unloaded: its functions are the program's socket calls.
        "-Wl,-z,nodelete",
    ] {
        println!("cargo:rustc-link-arg-cdylib={arg}");
    }
    println!("cargo:rerun-if-changed=build.rs");
}

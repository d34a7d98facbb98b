use super::*;

#[test]
fn siphash13_matches_the_standard_library() {
    // std's DefaultHasher is SipHash-1-3 with a zero key (an implementation detail, but a reference).
    let ours = SipKey { k0: 0, k1: 0 };
    for words in [vec![], vec![1], vec![1, 2, 3], vec![u64::MAX, 0, 42, 7, 9]] {
        let mut reference = std::collections::hash_map::DefaultHasher::new();
        for word in &words {
            reference.write_u64(*word);
        }
        assert_eq!(ours.hash(&words), reference.finish(), "{words:?}");
    }
}

#[test]
fn derived_keys_differ_by_purpose_and_secret() {
    let hash = |secret, purpose| SipKey::derive(secret, purpose).hash(&[1, 2]);
    assert_ne!(hash([1, 2], 0), hash([1, 2], 1));
    assert_ne!(hash([1, 2], 0), hash([1, 3], 0));
}

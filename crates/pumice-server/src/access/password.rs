//! Passwords of people who log in on a page: Argon2id with the parameters of RFC 9106, section 4.

use argon2::{
    Argon2,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};

/// The PHC string of a password. Takes tens of milliseconds on purpose: call it where blocking is allowed.
pub(crate) fn hash_password(password: &str) -> Option<String> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).ok()?;
    let hash = Argon2::default().hash_password_with_salt(password.as_bytes(), &salt).ok()?;
    Some(hash.to_string())
}

/// Whether a password is the one of a PHC string.
pub(crate) fn verify_password(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_password_fits_its_hash() {
        let hash = hash_password("open sesame").unwrap();
        assert!(hash.starts_with("$argon2id$"));
        assert!(verify_password("open sesame", &hash));
        assert!(!verify_password("open barley", &hash));
        assert!(!verify_password("open sesame", "nonsense"));
        assert_ne!(hash_password("open sesame"), Some(hash), "salted");
    }
}

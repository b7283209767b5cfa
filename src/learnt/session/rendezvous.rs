//! Which account of a provider a session starts on: each session has its own order of accounts, which is the
//! same in every replica and changes little when an account comes or goes.

use std::hash::Hasher as _;

use siphasher::sip::SipHasher13;

use super::{Salt, SessionKey};
use crate::model::AccountId;

/// The one of these accounts on which the session starts, that with the highest [`score`]; `None` if there is
/// none. The caller leaves out those without headroom.
#[must_use]
pub fn starts_on<'a>(
    session: SessionKey,
    accounts: impl IntoIterator<Item = &'a AccountId>,
    salt: Salt,
) -> Option<&'a AccountId> {
    let accounts = accounts.into_iter();
    accounts.max_by_key(|account| score(session, account, salt))
}

/// What orders the accounts for the session.
#[must_use]
pub fn score(session: SessionKey, account: &AccountId, salt: Salt) -> u64 {
    let mut hash = SipHasher13::new_with_key(&salt.0);
    hash.write(&session.bytes());
    hash.write(account.provider.as_str().as_bytes());
    hash.write_u8(0);
    hash.write(account.label.as_bytes());
    hash.finish()
}

//! Scopes, their keys, and the registry.

use super::*;
use crate::model::ScopeId;
use crate::store::registry::{KeyRow, RegistryAudit, RegistryChange, RegistryCommitted};
use crate::store::rows::SubjectId;

pub(crate) async fn scopes_do_not_see_each_other(backend: &dyn Backend) {
    let (store, scope) = scope(backend).await;
    store.registry().make_tenant(tenant(2)).await.unwrap();
    let n = written(&scope, Change { keep: Some(kept(1, 1)), ..begins(1) }).await.messages[0];
    for row in store.registry().scopes().await.unwrap() {
        if row.id == scope.id() {
            continue;
        }
        let other = store.scope(row.id).await.unwrap();
        assert!(other.message(id(1)).await.unwrap().is_none());
        assert!(other.message_at(n).await.unwrap().is_none());
        assert!(other.event(id(1)).await.unwrap().is_none());
        assert!(other.idempotency(kept(1, 1).key).await.unwrap().is_none());
        assert!(other.messages(Default::default(), newest(10)).await.unwrap().rows.is_empty());
        // The same key and the same ids are free there.
        written(&other, Change { keep: Some(kept(1, 1)), ..begins(1) }).await;
    }
    assert!(matches!(store.scope(ScopeId(99)).await, Err(StoreError::NoScope(99))));
}

pub(crate) async fn sealed_data_opens_for_its_subject_alone(backend: &dyn Backend) {
    let (store, scope) = scope(backend).await;
    let address = scope.address_hash(Channel::Sms, "+4915112345678");
    assert!(address != scope.address_hash(Channel::Whatsapp, "+4915112345678"));
    let ids = [SubjectId::from(address), Scope::subject_of_contact(id(1))];
    let keys = scope.subject_keys(&ids).await.unwrap();
    // The same fresh key while it is not stored yet.
    let again = scope.subject_key(ids[0]).await.unwrap();
    let sealed = scope.seal(&keys[0], b"msg 1", b"secret").unwrap();
    assert_eq!(scope.open(&again, b"msg 1", &sealed).unwrap(), b"secret");
    assert!(scope.open(&keys[1], b"msg 1", &sealed).is_err(), "another subject's key opened it");
    assert!(scope.open(&keys[0], b"msg 2", &sealed).is_err(), "it opened in another place");
    let mut changed = sealed.clone();
    changed[30] ^= 1;
    assert!(scope.open(&keys[0], b"msg 1", &changed).is_err(), "changed bytes opened");
    assert!(scope.seal(&keys[0], b"msg 1", b"secret").unwrap() != sealed, "a nonce was used twice");

    // Two changes that were under way at once both bring the key.
    let mut changes = [Change::default(), Change::default()];
    for change in &mut changes {
        keys[0].keep_in(change);
        keys[0].keep_in(change);
        assert_eq!(change.subjects.len(), 1);
    }
    for change in changes {
        written(&scope, change).await;
    }
    let mut later = Change::default();
    keys[0].keep_in(&mut later);
    assert!(later.subjects.is_empty(), "a stored key is brought again");
    // Another key for the same subject is refused: what it sealed could never be opened.
    conflicts(&scope, Change { subjects: vec![(ids[0], vec![1; 72])], ..Change::default() }).await;

    let secret = scope.seal_secret(b"provider 1", b"token").unwrap();
    let scope_id = scope.id();
    drop((scope, keys, again));
    store.close().await.unwrap();
    drop(store);
    let store = backend.open().await.unwrap();
    let scope = store.scope(scope_id).await.unwrap();
    let key = scope.known_subject_key(ids[0]).await.unwrap().unwrap();
    assert_eq!(scope.open(&key, b"msg 1", &sealed).unwrap(), b"secret");
    assert!(scope.known_subject_key(ids[1]).await.unwrap().is_none(), "a key that was never committed");
    assert_eq!(scope.open_secret(b"provider 1", &secret).unwrap(), b"token");
    // Another scope has other keys.
    let scopes = store.registry().scopes().await.unwrap();
    let other = scopes.iter().find(|row| row.id != scope_id).unwrap().id;
    let other = store.scope(other).await.unwrap();
    assert!(other.open_secret(b"provider 1", &secret).is_err());
    assert!(other.address_hash(Channel::Sms, "+4915112345678") != address);
    assert!(other.fingerprint(&[b"a"]) != scope.fingerprint(&[b"a"]));
    assert!(scope.fingerprint(&[b"a", b"b"]) != scope.fingerprint(&[b"ab"]));
}

pub(crate) async fn an_erased_subject_stays_erased(backend: &dyn Backend) {
    let (store, scope) = scope(backend).await;
    let ids: Vec<SubjectId> = (1..=50).map(|number| SubjectId([number; 16])).collect();
    let keys = scope.subject_keys(&ids).await.unwrap();
    let mut change = Change::default();
    for key in &keys {
        key.keep_in(&mut change);
    }
    written(&scope, change).await;
    let sealed = scope.seal(&keys[9], b"x", b"secret").unwrap();
    drop(keys);
    written(&scope, Change { erased: vec![ids[9], ids[10]], ..Change::default() }).await;
    assert!(scope.known_subject_key(ids[9]).await.unwrap().is_none());
    assert!(scope.known_subject_key(ids[11]).await.unwrap().is_some());
    // The same person can come again, under a new key.
    let key = scope.subject_key(ids[9]).await.unwrap();
    assert!(scope.open(&key, b"x", &sealed).is_err());
    let mut change = Change::default();
    key.keep_in(&mut change);
    written(&scope, change).await;
    drop(key);
    let scope_id = scope.id();
    drop(scope);
    store.close().await.unwrap();
    drop(store);
    let store = backend.open().await.unwrap();
    let scope = store.scope(scope_id).await.unwrap();
    assert!(scope.known_subject_key(ids[9]).await.unwrap().is_some());
    assert!(scope.known_subject_key(ids[10]).await.unwrap().is_none());
}

pub(crate) fn key(number: u64, scope: ScopeId) -> KeyRow {
    KeyRow {
        id: id(number),
        scope,
        environment: Environment::Test,
        name: "ci".into(),
        hash: [number as u8; 32],
        hint: "abcd".into(),
        permissions: 5,
        created_at: at(0),
        last_used_at: None,
        expires_at: None,
        revoked_at: None,
    }
}

pub(crate) async fn tenants_and_keys(backend: &dyn Backend) {
    let (store, scope) = scope(backend).await;
    let registry = store.registry();
    let again = registry.make_tenant(crate::store::TenantRow { id: id(5), ..tenant(1) }).await;
    assert!(matches!(again, Err(StoreError::Conflict { .. })), "one name, two tenants");
    assert_eq!(registry.tenants().await.unwrap(), [tenant(1)]);
    assert_eq!(registry.scopes().await.unwrap().len(), 2);
    let row = registry.scope(scope.id()).await.unwrap().unwrap();
    assert!(row.tenant == id(1) && row.environment == Environment::Test && row.tenant_name == "tenant 1");

    let commit = async |change| registry.commit(change).await.map(drop);
    for number in 1..=3 {
        let keys = vec![key(number, scope.id())];
        commit(RegistryChange { keys, ..Default::default() }).await.unwrap();
    }
    for _ in 0..2 {
        assert!(registry.key_by_hash([2; 32]).await.unwrap().unwrap() == key(2, scope.id()));
        assert!(registry.key_by_hash([9; 32]).await.unwrap().is_none());
    }
    let revoke =
        |number| RegistryChange { keys_revoked: vec![(id(number), scope.id(), at(5))], ..Default::default() };
    commit(revoke(2)).await.unwrap();
    let revoked = registry.key_by_hash([2; 32]).await.unwrap().unwrap();
    assert_eq!(revoked.revoked_at, Some(at(5)), "a revoked key is honoured from memory");
    assert!(matches!(commit(revoke(2)).await, Err(StoreError::Conflict { .. })));
    let expire = vec![(id(3), scope.id(), at(9))];
    commit(RegistryChange { keys_expire: expire, ..Default::default() }).await.unwrap();
    registry.keys_used(vec![(id(3), at(7)), (id(3), at(6))]).await.unwrap();
    let third = registry.key(scope.id(), id(3)).await.unwrap().unwrap();
    assert_eq!((third.expires_at, third.last_used_at), (Some(at(9)), Some(at(7))));
    let other = ScopeId(scope.id().0 + 1);
    assert!(registry.key(other, id(3)).await.unwrap().is_none());
    let page = registry.keys(scope.id(), newest(2)).await.unwrap();
    assert!(page.has_more && page.rows[0].row.id == id(3) && page.rows[1].row.id == id(2));
    let newer = registry.keys(scope.id(), before(page.rows[1].n, 2)).await.unwrap();
    assert!(!newer.has_more && newer.rows[0].row.id == id(3));
    assert!(registry.keys(other, newest(2)).await.unwrap().rows.is_empty());
}

pub(crate) async fn registry_keys_are_idempotent(backend: &dyn Backend) {
    let (store, scope) = scope(backend).await;
    let registry = store.registry();
    let change = |number| RegistryChange {
        keep: Some((scope.id(), kept(1, number as u8))),
        keys: vec![key(number, scope.id())],
        audit: vec![RegistryAudit { scope: Some(scope.id()), entry: super::objects::audit(number) }],
        ..Default::default()
    };
    assert!(matches!(registry.commit(change(1)).await.unwrap(), RegistryCommitted::Applied));
    match registry.commit(change(2)).await.unwrap() {
        RegistryCommitted::Replayed(first) => assert!(*first == kept(1, 1)),
        RegistryCommitted::Applied => panic!("two mutations under one key"),
    }
    assert_eq!(registry.keys(scope.id(), newest(9)).await.unwrap().rows.len(), 1);
    let other = ScopeId(scope.id().0 + 1);
    assert!(registry.idempotency(other, kept(1, 1).key).await.unwrap().is_none());
    assert!(registry.idempotency(scope.id(), kept(1, 1).key).await.unwrap().is_some());
    let next = RegistryChange { keep: None, ..change(3) };
    registry.commit(next).await.unwrap();
    let audit = registry.audit(scope.id(), newest(9)).await.unwrap();
    assert!(audit.rows.len() == 2 && audit.rows[0].row.prev_hash == audit.rows[1].row.hash);
    assert!(registry.audit(other, newest(9)).await.unwrap().rows.is_empty());

    let change = RegistryChange {
        providers: vec![(id(7), scope.id())],
        erased: vec![(scope.id(), SubjectId([1; 16]), at(0))],
        ..Default::default()
    };
    registry.commit(change).await.unwrap();
    assert_eq!(registry.provider_scope(id(7)).await.unwrap(), Some(scope.id()));
    assert_eq!(registry.erased(scope.id()).await.unwrap().len(), 1);
    assert!(registry.erased(other).await.unwrap().is_empty());
    registry.commit(RegistryChange { providers_gone: vec![id(7)], ..Default::default() }).await.unwrap();
    assert_eq!(registry.provider_scope(id(7)).await.unwrap(), None);
}

pub(crate) async fn idle_scopes_close_and_leave_word(backend: &dyn Backend) {
    let (store, scope) = scope(backend).await;
    let begin = MessageStep::Begin(Box::new(message(1)), live(Status::Queued, Some(77)));
    written(&scope, step(begin)).await;
    let scope_id = scope.id();
    let wake_at = async || store.registry().scope(scope_id).await.unwrap().unwrap().wake_at;
    let minute = 60_000;
    store.tidy(at(0)).await.unwrap();
    store.tidy(at(6 * minute)).await.unwrap();
    assert!(scope.message(id(1)).await.unwrap().is_some(), "closed under its holder");
    drop(scope);
    store.tidy(at(7 * minute)).await.unwrap();
    assert_eq!(wake_at().await, None);
    store.tidy(at(11 * minute)).await.unwrap();
    assert_eq!(wake_at().await, None, "closed before five minutes had passed");
    store.tidy(at(12 * minute)).await.unwrap();
    assert_eq!(wake_at().await, Some(at(77)));
    // It opens again when it is asked for.
    let scope = store.scope(scope_id).await.unwrap();
    assert!(scope.message(id(1)).await.unwrap().is_some());
}

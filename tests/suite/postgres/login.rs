// The role that the program logs in as on a server that somebody named.

/// The statements that make a role for the program, which may make what it needs.
pub(crate) fn make(role: &str, password: &str) -> String {
    // A server that was used before has the program's roles already. Since version 16 who may make roles
    // may not give others that somebody else made.
    format!(
        "CREATE ROLE {role} LOGIN CREATEROLE NOSUPERUSER NOBYPASSRLS PASSWORD '{password}';
         DO $do$
         DECLARE made text;
         BEGIN
             IF current_setting('server_version_num')::int < 160000 THEN RETURN; END IF;
             FOR made IN SELECT rolname FROM pg_roles
                 WHERE rolname IN ('spine_owner', 'spine_engine', 'spine_api') LOOP
                 EXECUTE format('GRANT %I TO {role} WITH INHERIT FALSE, SET TRUE', made);
             END LOOP;
         END $do$"
    )
}

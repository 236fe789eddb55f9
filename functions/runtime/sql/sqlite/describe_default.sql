-- ?1 user, ?2 digest of the token, ?3 locale, ?4 time zone
UPDATE push_token SET locale = ?3, time_zone = ?4 WHERE user_id = ?1 AND digest = ?2

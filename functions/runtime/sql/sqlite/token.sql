-- ?1 user
SELECT rev, token FROM push_token WHERE user_id = ?1

-- ?1 user
DELETE FROM device WHERE user_id = ?1

-- ?1 user, ?2 device
DELETE FROM device WHERE user_id = ?1 AND device = ?2

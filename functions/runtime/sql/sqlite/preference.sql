-- ?1 user
SELECT json FROM preference WHERE user_id = ?1

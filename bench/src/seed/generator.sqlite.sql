CREATE TEMP TABLE seed AS
WITH RECURSIVE numbers (n) AS (
    SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < {users}
), numbered AS (
    SELECT n, ({bucket}) AS bucket, {base} + n / 10000 * 60000000 AS queued,
        printf('%012x', n) AS low, printf('%012x', n / 10000) AS low_send,
        printf('%08x', n * 2654435761 % 4294967296) AS scattered
    FROM numbers
), standing AS (
    SELECT *,
        CASE WHEN bucket < 10 THEN 0 WHEN bucket < 30 THEN 1 WHEN bucket < 35 THEN 2 WHEN bucket < 95 THEN 3
             WHEN bucket < 345 THEN 4 WHEN bucket < 895 THEN 5 ELSE 6 END AS status,
        CASE WHEN bucket BETWEEN 345 AND 424 THEN 1
             WHEN bucket BETWEEN 95 AND 134 OR bucket BETWEEN 425 AND 544 THEN 0 END AS stage,
        CASE WHEN bucket BETWEEN 345 AND 424 THEN 3 WHEN bucket BETWEEN 520 AND 544 THEN 1
             WHEN bucket BETWEEN 95 AND 134 OR bucket BETWEEN 425 AND 519 THEN 0 END AS session_status,
        CASE WHEN bucket < 895 THEN NULL WHEN bucket < 945 THEN 1 WHEN bucket < 970 THEN 10
             WHEN bucket < 990 THEN 3 ELSE 0 END AS failure_reason
    FROM numbered
)
SELECT *,
    status | COALESCE((stage + 1) << 3, 0) | COALESCE((session_status + 1) << 5, 0)
        | COALESCE((failure_reason + 1) << 8, 0) AS cell,
    unhex(scattered || '{v}70008000' || low) AS user_id,
    unhex('01900000{v}7c008000' || low) AS contact_id,
    unhex('01900000{v}7d008000' || low) AS deployment_id,
    unhex('01900000{v}75008000' || low_send) AS send_id,
    unhex('01900000{v}71008000' || low) AS first_id,
    unhex('01900000{v}72008000' || low) AS second_id,
    unhex('01900000{v}73008000' || low) AS third_id
FROM standing;

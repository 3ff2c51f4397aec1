INSERT INTO conversations (id, workspace_id, line_id, name, name_folded, direction, versions, created_at)
VALUES ({conversation}, {workspace}, {line}, '{name}', '{name}', 1, 1, {base} + {number});

INSERT INTO versions (id, workspace_id, conversation_id, number, published_at, flow, revision, changed_at, total_deployments)
SELECT {version}, {workspace}, {conversation}, 1, {base},
    '{"start":"hello","steps":{"hello":{"template":{"name":"welcome","language":"es","parameters":["{{first_name}}"]}}}}',
    count(*), max(queued) + 200000000, count(*) FROM seed;

INSERT INTO variable_names (version_id, name, workspace_id)
VALUES ({version}, 'city', {workspace}), ({version}, 'first_name', {workspace});

INSERT INTO contacts (id, workspace_id, phone, wa_id, name, name_at, created_at)
SELECT contact_id, {workspace}, '+57' || CAST(3000000000 + {number} * 10000000 + n AS text),
    '57' || CAST(3000000000 + {number} * 10000000 + n AS text), 'Ana ' || CAST(n AS text), queued, queued FROM seed;

INSERT INTO sends (id, workspace_id, conversation_id, version_id, total_users, created_at, completed_at)
SELECT send_id, {workspace}, {conversation}, {version}, count(*), min(queued),
    CASE WHEN min(status) > 0 THEN min(queued) + 1000000 END FROM seed GROUP BY send_id;

INSERT INTO users (id, workspace_id, version_id, contact_id, deployments, deployed_at, status, stage, session_status,
    failure_reason, activity_at)
SELECT user_id, {workspace}, {version}, contact_id, 1, queued, status, stage, session_status, failure_reason,
    CASE WHEN stage IS NULL THEN 0 ELSE queued + 120000000 END FROM seed;

INSERT INTO deployments (id, workspace_id, user_id, version_id, contact_id, line_id, send_id, number, queued_at,
    dispatched_at, began_at, answered_at, finished_at, session_status, session_at)
SELECT deployment_id, {workspace}, user_id, {version}, contact_id, {line}, send_id, 1, queued,
    CASE WHEN bucket BETWEEN 10 AND 989 THEN queued + 500000 END,
    CASE WHEN bucket BETWEEN 10 AND 989 THEN queued + 500000 END,
    CASE WHEN stage IS NOT NULL THEN queued + 120000000 END,
    CASE WHEN stage = 1 THEN queued + 180000000 END,
    session_status, CASE WHEN session_status IS NOT NULL THEN queued + 180000000 END FROM seed;

INSERT INTO variables (deployment_id, name, workspace_id, value, at)
SELECT deployment_id, 'city', {workspace}, CASE n % 3 WHEN 0 THEN 'Bogotá' WHEN 1 THEN 'Lima' ELSE 'Quito' END, queued FROM seed;
INSERT INTO variables (deployment_id, name, workspace_id, value, at)
SELECT deployment_id, 'first_name', {workspace}, 'Ana ' || CAST(n AS text), queued FROM seed;

-- The first message, whose facts are the deployment's status.
INSERT INTO messages (id, workspace_id, user_id, deployment_id, line_id, sender, kind, text, payload, provider_message_id,
    at, first, revision, accepted_at, held_at, sent_at, delivered_at, read_at, failed_at, failed_code, failed_reason,
    failed_text, refused_at, refused_reason)
SELECT first_id, {workspace}, user_id, deployment_id, {line}, 3, 1, NULL,
    '{"name":"welcome","language":"es","parameters":["Ana ' || CAST(n AS text) || '"]}',
    CASE WHEN bucket BETWEEN 10 AND 989 THEN 'wamid.{v}.' || CAST(n AS text) END, queued, true, n + 1,
    CASE WHEN bucket BETWEEN 10 AND 989 THEN queued + 1000000 END,
    CASE WHEN status = 2 THEN queued + 1500000 END,
    CASE WHEN status BETWEEN 3 AND 5 THEN queued + 2000000 END,
    CASE WHEN status BETWEEN 4 AND 5 THEN queued + 3000000 END,
    CASE WHEN status = 5 THEN queued + 60000000 END,
    CASE WHEN bucket BETWEEN 895 AND 989 THEN queued + 4000000 END,
    CASE WHEN bucket < 895 THEN NULL WHEN bucket < 945 THEN 131026 WHEN bucket < 970 THEN 131049 WHEN bucket < 990 THEN 131050 END,
    CASE WHEN bucket < 990 THEN failure_reason END,
    CASE WHEN bucket BETWEEN 895 AND 989 THEN 'Message undeliverable' END,
    CASE WHEN bucket >= 990 THEN queued END, CASE WHEN bucket >= 990 THEN 0 END FROM seed;

-- The answer of whoever answered; a reminder to all others.
INSERT INTO messages (id, workspace_id, user_id, deployment_id, line_id, sender, kind, text, provider_message_id, at, first,
    revision, accepted_at, sent_at, delivered_at)
SELECT second_id, {workspace}, user_id, deployment_id, {line}, CASE WHEN stage IS NULL THEN 3 ELSE 0 END, 0,
    CASE WHEN stage IS NULL THEN 'Still interested? The offer ends on Friday.' ELSE 'Yes, please tell me more' END,
    'wamid.{v}.' || CAST(n AS text) || '.2', queued + 120000000, false, n + 1,
    CASE WHEN stage IS NULL THEN queued + 121000000 END,
    CASE WHEN stage IS NULL THEN queued + 122000000 END,
    CASE WHEN stage IS NULL AND status IN (4, 5) THEN queued + 123000000 END FROM seed;

INSERT INTO messages (id, workspace_id, user_id, deployment_id, line_id, sender, kind, text, provider_message_id, at, first,
    revision, accepted_at, sent_at, delivered_at, read_at)
SELECT third_id, {workspace}, user_id, deployment_id, {line}, 1, 0,
    'Thank you. Our team is open from 8 to 18, Monday to Saturday, and answers within the hour.',
    'wamid.{v}.' || CAST(n AS text) || '.3', queued + 125000000, false, n + 1, queued + 126000000, queued + 127000000,
    CASE WHEN status IN (4, 5) THEN queued + 128000000 END, CASE WHEN status = 5 THEN queued + 150000000 END FROM seed;

INSERT INTO changes (version_id, revision, workspace_id, user_id, at, kinds, cell_before, cell)
SELECT {version}, n + 1, {workspace}, user_id, queued + 200000000, 1, NULL, cell FROM seed;

INSERT INTO tally (version_id, cell, workspace_id, users)
SELECT {version}, cell, {workspace}, count(*) FROM seed GROUP BY cell;

INSERT INTO send_tally (send_id, cell, workspace_id, deployments)
SELECT send_id, cell, {workspace}, count(*) FROM seed GROUP BY send_id, cell;

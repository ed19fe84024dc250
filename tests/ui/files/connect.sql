CREATE TABLE public.orders (id bigint);

\connect other

CREATE TABLE public.users (id bigint);

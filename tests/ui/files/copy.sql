--
-- PostgreSQL database dump
--

CREATE TABLE public.orders (id bigint);

COPY public.orders (id) FROM stdin;
1
2
\.

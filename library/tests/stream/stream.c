/*
 * Memory bandwidth by the four kernels of STREAM: copy, scale, add, triad.
 *
 * Written anew from the published description of the benchmark and its run rules (J. D. McCalpin, "Memory Bandwidth and
 * Machine Balance in Current High Performance Computers", 1995, and "STREAM Benchmark Run Rules"). It is not the
 * official source, so by those rules its results are labelled "based on a variant of STREAM": on a functional
 * model they say how fast the model is, not the machine it models.
 *
 * What the rules ask for and is kept: arrays of double-precision numbers, each at least four times as large as all last
 * level caches together (the size is given and printed); every kernel run at least ten times; the best time of all but
 * the first iteration counts; bytes are counted as 16, 16, 24 and 24 an element, 1 MB being 1,000,000 bytes; the result
 * is checked.
 *
 * usage: stream [ELEMENTS [ITERATIONS]]
 */
#define _POSIX_C_SOURCE 199309L
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum kernel { COPY, SCALE, ADD, TRIAD, KERNELS };

static const char *const names[KERNELS] = { "copy", "scale", "add", "triad" };
static const double bytes_an_element[KERNELS] = { 16, 16, 24, 24 };
static const double scalar = 3.0;

static double seconds(void)
{
	struct timespec now;

	if (clock_gettime(CLOCK_MONOTONIC, &now) != 0) {
		perror("stream: the clock");
		exit(1);
	}
	return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* One kernel over all elements. Not inlined, so that no work is moved out of the time that is taken. */
static void __attribute__((noinline)) run(enum kernel kernel, double *a, double *b, double *c, long count)
{
	long i;

	switch (kernel) {
	case COPY:
		for (i = 0; i < count; i++)
			c[i] = a[i];
		break;
	case SCALE:
		for (i = 0; i < count; i++)
			b[i] = scalar * c[i];
		break;
	case ADD:
		for (i = 0; i < count; i++)
			c[i] = a[i] + b[i];
		break;
	case TRIAD:
	default:
		for (i = 0; i < count; i++)
			a[i] = b[i] + scalar * c[i];
		break;
	}
}

/* The largest relative difference of an array's elements from what arithmetic says they are. */
static double worst(const double *array, double expected, long count)
{
	double difference = 0;
	long i;

	for (i = 0; i < count; i++) {
		double here = fabs((array[i] - expected) / expected);

		if (!(here <= difference))
			difference = here;
	}
	return difference;
}

static long positive(const char *text, const char *what)
{
	char *end;
	long number = strtol(text, &end, 10);

	if (*end != '\0' || number <= 0) {
		fprintf(stderr, "stream: %s must be a number above 0, not `%s`\n", what, text);
		exit(2);
	}
	return number;
}

int main(int argc, char **argv)
{
	long count = argc > 1 ? positive(argv[1], "the count of elements") : 4000000;
	long iterations = argc > 2 ? positive(argv[2], "the count of iterations") : 10;
	double best[KERNELS] = { DBL_MAX, DBL_MAX, DBL_MAX, DBL_MAX };
	double *a = malloc((size_t)count * sizeof *a);
	double *b = malloc((size_t)count * sizeof *b);
	double *c = malloc((size_t)count * sizeof *c);
	double expected_a = 1, expected_b = 2, expected_c = 0;
	long iteration, i;
	int kernel, is_wrong = 0;

	if (!a || !b || !c) {
		fprintf(stderr, "stream: no memory for three arrays of %ld elements\n", count);
		return 1;
	}
	if (iterations < 2)
		iterations = 2;
	for (i = 0; i < count; i++) {
		a[i] = expected_a;
		b[i] = expected_b;
		c[i] = expected_c;
	}
	printf("based on a variant of STREAM\n");
	printf("array-size: %ld elements of %zu bytes, %.1f MiB in each of 3 arrays\n", count, sizeof *a,
	       (double)count * sizeof *a / 1048576.0);
	printf("iterations: %ld, the first is not counted\n", iterations);
	for (iteration = 0; iteration < iterations; iteration++) {
		for (kernel = 0; kernel < KERNELS; kernel++) {
			double start = seconds(), took;

			run((enum kernel)kernel, a, b, c, count);
			took = seconds() - start;
			if (iteration > 0 && took < best[kernel])
				best[kernel] = took;
		}
		expected_c = expected_a;
		expected_b = scalar * expected_c;
		expected_c = expected_a + expected_b;
		expected_a = expected_b + scalar * expected_c;
	}
	for (kernel = 0; kernel < KERNELS; kernel++) {
		if (best[kernel] <= 0) {
			fprintf(stderr, "stream: the clock is too coarse for arrays of this size\n");
			return 1;
		}
		printf("%s: %.1f MB/s\n", names[kernel],
		       1e-6 * bytes_an_element[kernel] * (double)count / best[kernel]);
	}
	is_wrong = worst(a, expected_a, count) > 1e-13 || worst(b, expected_b, count) > 1e-13 ||
		   worst(c, expected_c, count) > 1e-13;
	printf("check: %s\n", is_wrong ? "the arrays do not hold what they should" : "right");
	return is_wrong;
}
